using System.Globalization;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>
/// One overlay and its base, changed by ours and by qemu-img in turn: writes, snapshots, resizes, amendments, commits, rebases. After every
/// few changes the guest sees what a model of plain bytes says, and both programs find the images sound.
/// </summary>
public sealed class SequenceTests : IDisposable
{
    private const int Steps = 18;
    private const int Sector = 512;
    private const int MaxSize = 3 << 20;
    private const string Top = "top.qcow2";

    private readonly TempDirectory _directory = new();
    private readonly List<string> _log = [];
    private readonly Dictionary<string, byte[]> _snapshots = [];
    private readonly Dictionary<string, byte[]> _bases = [];
    private byte[] _content = [];
    private string? _base;
    private int _names;

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("cluster_size=64k", 1)]
    [InlineData("cluster_size=4k", 2)]
    [InlineData("cluster_size=512,lazy_refcounts=on", 3)]
    [InlineData("cluster_size=16k,extended_l2=on", 4)]
    public void BothProgramsInTurnKeepWhatTheGuestSees(string options, int number)
    {
        QemuTools.Require();
        int seed = TestSeed.Value + number;
        Random random = new(seed);
        Make("one.qcow2", "cluster_size=64k", random);
        Make("two.qcow2", "cluster_size=8k", random);
        _base = "one.qcow2";
        _content = (byte[])_bases[_base].Clone();
        Theirs("create", "-q", "-f", "qcow2", "-o", options, "-b", _base, "-F", "qcow2", Top);
        for (int step = 0; step < Steps; step++)
        {
            bool ours = random.Next(2) == 0;
            Step(random, ours);
            if (step % 3 == 2)
            {
                Verify($"seed {seed}, step {step}");
            }
        }
    }

    private void Make(string name, string options, Random random)
    {
        byte[] content = new byte[random.Next(MaxSize / Sector) * Sector + Sector];
        Theirs("create", "-q", "-f", "qcow2", "-o", options, name, Number(content.Length));
        for (int i = 0; i < 3; i++)
        {
            (int start, int length, byte value) = Range(random, content.Length);
            Theirs("bench", "-w", "-c", "1", "-o", Number(start), "-s", Number(length), $"--pattern={value}", name);
            content.AsSpan(start, length).Fill(value);
        }

        _bases.Add(name, content);
    }

    private void Step(Random random, bool ours)
    {
        switch (random.Next(12))
        {
            case 0 or 1 or 2:
                (int start, int length, byte value) = Range(random, _content.Length);
                Do(ours, "bench", "-w", "-c", "1", "-o", Number(start), "-s", Number(length), $"--pattern={value}", Top);
                _content.AsSpan(start, length).Fill(value);
                break;
            case 3:
                (start, length, _) = Range(random, _content.Length);
                string unmap = random.Next(2) == 0 ? "-u " : "";
                _log.Add($"write -z {unmap}{start} {length}");
                Check(Programs.Execute(_directory.Path, "qemu-io", "-f", "qcow2", "-c", $"write -z {unmap}{start} {length}", Top));
                _content.AsSpan(start, length).Clear();
                break;
            case 4:
                string name = $"s{_names++}";
                Do(ours, "snapshot", "-c", name, Top);
                _snapshots.Add(name, (byte[])_content.Clone());
                break;
            case 5 when _snapshots.Count > 0:
                name = _snapshots.Keys.ElementAt(random.Next(_snapshots.Count));
                if (MayFail(ours, "snapshot", "-a", name, Top))
                {
                    _content = (byte[])_snapshots[name].Clone();
                }

                break;
            case 6 when _snapshots.Count > 0:
                DropSnapshot(ours, _snapshots.Keys.ElementAt(random.Next(_snapshots.Count)));
                break;
            case 7 or 8:
                int size = random.Next(1, MaxSize / Sector) * Sector;
                if (MayFail(ours, "resize", "-q", "--shrink", Top, Number(size)))
                {
                    Array.Resize(ref _content, size);
                }

                break;
            case 9:
                string[] choices = ["compat=0.10", "compat=1.1", "refcount_bits=64", "refcount_bits=16", "refcount_bits=32,compat=v3", "compat=1.1,lazy_refcounts=on", "lazy_refcounts=off"];
                MayFail(ours, "amend", "-o", choices[random.Next(choices.Length)], Top);
                break;
            case 10 when _base is not null:
                // What a snapshot does not have it shows of the base, which changes.
                DropSnapshots(ours);
                Do(ours, "commit", "-q", Top);
                byte[] under = _bases[_base];
                Array.Resize(ref under, Math.Max(under.Length, _content.Length));
                _content.CopyTo(under, 0);
                _bases[_base] = under;
                break;
            case 11:
                DropSnapshots(ours);
                _base = random.Next(3) == 0 ? null : random.Next(2) == 0 ? "one.qcow2" : "two.qcow2";
                Do(ours, ["rebase", "-b", _base ?? "", .. _base is null ? Array.Empty<string>() : ["-F", "qcow2"], Top]);
                break;
            default:
                break;
        }
    }

    private void DropSnapshots(bool ours)
    {
        foreach (string name in _snapshots.Keys.ToArray())
        {
            DropSnapshot(ours, name);
        }
    }

    private void DropSnapshot(bool ours, string name)
    {
        Do(ours, "snapshot", "-d", name, Top);
        _snapshots.Remove(name);
    }

    private void Verify(string context)
    {
        string history = $"{context}\n{string.Join('\n', _log)}";
        File.WriteAllBytes(_directory["model.raw"], _content);
        ToolResult theirs = Programs.Execute(_directory.Path, Programs.QemuImg, "compare", "-F", "raw", Top, "model.raw");
        ToolResult ours = Programs.RunOurs(_directory.Path, ["compare", "-F", "raw", Top, "model.raw"]);
        Assert.True(theirs.Output == "Images are identical.\n", $"{history}\n{theirs.Output}{theirs.Error}");
        Assert.True(ours.Output == theirs.Output, $"{history}\n{ours.Output}{ours.Error}");
        foreach (string image in _base is null ? [Top] : new[] { Top, _base })
        {
            Sound(Programs.Execute(_directory.Path, Programs.QemuImg, "check", image), history);
            Sound(Programs.RunOurs(_directory.Path, ["check", image]), history);
        }

        // A snapshot is shown with the size that the disk has now: whole it is only where that is its own.
        foreach ((string name, byte[] content) in _snapshots.Where(snapshot => snapshot.Value.Length == _content.Length).Take(1))
        {
            File.WriteAllBytes(_directory["model.raw"], content);
            Sound(Programs.RunOurs(_directory.Path, ["convert", "-l", name, Top, "snapshot.raw"]), history);
            Sound(Programs.Execute(_directory.Path, "cmp", "model.raw", "snapshot.raw"), history);
        }
    }

    private static void Sound(ToolResult result, string history) =>
        Assert.True(result.ExitCode == 0, $"{history}\n{result.Output}{result.Error}");

    private void Do(bool ours, params string[] arguments) => Check(Run(ours, arguments));

    // Some changes are refused in some states, by either program; then nothing has changed.
    private bool MayFail(bool ours, params string[] arguments)
    {
        ToolResult result = Run(ours, arguments);
        _log[^1] += result.ExitCode == 0 ? "" : $"  -> {result.Error.Trim()}";
        return result.ExitCode == 0;
    }

    private ToolResult Run(bool ours, string[] arguments)
    {
        _log.Add($"{(ours ? "ours" : "qemu")}: {string.Join(' ', arguments)}");
        return ours ? Programs.RunOurs(_directory.Path, arguments) : Programs.Execute(_directory.Path, Programs.QemuImg, arguments);
    }

    private void Theirs(params string[] arguments) => Check(Run(ours: false, arguments));

    private void Check(ToolResult result) => Assert.True(result.ExitCode == 0, $"{string.Join('\n', _log)}\n{result.Output}{result.Error}");

    private static (int Start, int Length, byte Value) Range(Random random, int size)
    {
        int start = random.Next(size / Sector) * Sector;
        int length = Math.Min(size - start, random.Next(1, random.Next(2) == 0 ? 20 : 1500) * Sector);
        return (start, length, (byte)random.Next(1, 256));
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
