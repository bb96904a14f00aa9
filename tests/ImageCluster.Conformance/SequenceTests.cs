using System.Globalization;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>
/// One overlay and its base, changed by ours and by qemu-img in turn: writes, snapshots, resizes, amendments, bitmaps, commits, rebases. The
/// other program does each change to a copy, and must come to the same; after every few changes the guest sees what a model of plain bytes says,
/// and both programs find the images sound. CONFORMANCE_COUNT says how many sequences there are of each kind.
/// </summary>
public sealed class SequenceTests : IDisposable
{
    private const int Steps = 18;
    private const int Sector = 512;
    private const int LargestCluster = 64 << 10;
    private const int MaxSize = 3 << 20;
    private const string Top = "top.qcow2";

    private static readonly string[] Bitmaps = ["b0", "b1", "b2"];

    private readonly TempDirectory _directory = new();
    private readonly TempDirectory _copy = new();
    private readonly List<string> _log = [];
    private readonly Dictionary<string, byte[]> _snapshots = [];
    private readonly Dictionary<string, byte[]> _bases = [];
    private byte[] _content = [];
    private string? _base;
    private int _names;
    private bool _withBitmaps;

    public void Dispose()
    {
        _directory.Dispose();
        _copy.Dispose();
    }

    [SkippableTheory]
    [InlineData("cluster_size=64k", 1, false)]
    [InlineData("cluster_size=4k", 2, false)]
    [InlineData("cluster_size=512,lazy_refcounts=on", 3, false)]
    [InlineData("cluster_size=16k,extended_l2=on", 4, false)]
    [InlineData("cluster_size=64k", 5, true)]
    [InlineData("cluster_size=1k,lazy_refcounts=on", 6, true)]
    [InlineData("cluster_size=32k,extended_l2=on", 7, true)]
    [InlineData("cluster_size=2k,refcount_bits=64,compression_type=zstd", 9, false)]
    [InlineData("cluster_size=8k,refcount_bits=8", 10, true)]
    public void BothProgramsInTurnKeepWhatTheGuestSees(string options, int number, bool withBitmaps)
    {
        QemuTools.Require();
        int count = int.TryParse(Environment.GetEnvironmentVariable("CONFORMANCE_COUNT"), CultureInfo.InvariantCulture, out int asked) ? asked : 1;
        for (int i = 0; i < count; i++)
        {
            Begin();
            Walk(options, TestSeed.Value + number + (i * 1000), withBitmaps);
        }
    }

    private void Begin()
    {
        foreach (string file in Directory.EnumerateFiles(_directory.Path))
        {
            File.Delete(file);
        }

        _log.Clear();
        _snapshots.Clear();
        _bases.Clear();
    }

    private void Walk(string options, int seed, bool withBitmaps)
    {
        _withBitmaps = withBitmaps;
        _log.Add($"seed {seed}, {options}");
        Random random = new(seed);
        Make("one.qcow2", "cluster_size=64k", random);
        Make("two.qcow2", "cluster_size=8k", random);
        _base = "one.qcow2";
        _content = (byte[])_bases[_base].Clone();
        Theirs("create", "-q", "-f", "qcow2", "-o", options, "-b", _base, "-F", "qcow2", Top);
        if (withBitmaps)
        {
            Theirs("bitmap", "--add", "one.qcow2", "b0");
            Theirs("bitmap", "--add", "-g", "4k", Top, "b0");
        }

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
        switch (random.Next(_withBitmaps ? 18 : 12))
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
                // Cut within a cluster, and grown again: qemu-img shows what the cluster held behind the end.
                int size = random.Next(1, MaxSize / Sector) * Sector;
                size = size < _content.Length ? Math.Max(LargestCluster, size / LargestCluster * LargestCluster) : size;
                if (MayFail(ours, "resize", "-q", "--shrink", Top, Number(size)))
                {
                    Array.Resize(ref _content, size);
                }

                break;
            case 9:
                // In version 2 bitmaps are lost, as leaks where qemu-img does it.
                string[] choices = ["compat=0.10", "compat=1.1", "refcount_bits=64", "refcount_bits=16", "refcount_bits=32,compat=v3", "compat=1.1,lazy_refcounts=on", "lazy_refcounts=off"];
                MayFail(ours, "amend", "-o", choices[random.Next(_withBitmaps ? 1 : 0, choices.Length)], Top);
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

                // In version 2 qemu-img lets the new backing file shine through where there was none.
                Do(ours, "amend", "-o", "compat=1.1", Top);
                _base = random.Next(3) == 0 ? null : random.Next(2) == 0 ? "one.qcow2" : "two.qcow2";
                Do(ours, ["rebase", "-b", _base ?? "", .. _base is null ? Array.Empty<string>() : ["-F", "qcow2"], Top]);
                break;
            case > 11:
                MayFail(ours, ["bitmap", .. BitmapActions(random), random.Next(5) == 0 ? "one.qcow2" : Top, Pick(random, Bitmaps)]);
                break;
            default:
                break;
        }
    }

    private static IEnumerable<string> BitmapActions(Random random)
    {
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            string[] action = random.Next(10) switch
            {
                0 or 1 or 2 => ["--add", "-g", Pick(random, ["512", "4k", "64k", "1M"])],
                3 => ["--add", "--disable"],
                4 => ["--remove"],
                5 => ["--clear"],
                6 => ["--enable"],
                7 => ["--disable"],
                8 => ["--merge", Pick(random, Bitmaps), "-b", "one.qcow2", "-F", "qcow2"],
                _ => ["--merge", Pick(random, Bitmaps)],
            };
            foreach (string word in action)
            {
                yield return word;
            }
        }
    }

    private static string Pick(Random random, string[] choices) => choices[random.Next(choices.Length)];

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
            foreach (string[] command in new[] { new[] { "info" }, ["info", "--output=json"], ["map", "--output=json"], ["check", "--output=json"] })
            {
                Same(Programs.Execute(_directory.Path, Programs.QemuImg, [.. command, image]).Output, Programs.RunOurs(_directory.Path, [.. command, image]).Output);
            }

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
        Check(Programs.Execute(_directory.Path, "cp", "-a", "--sparse=auto", ".", _copy.Path));
        ToolResult result = Run(ours, _directory.Path, arguments);
        ToolResult other = Run(!ours, _copy.Path, arguments);
        (ToolResult expected, ToolResult actual) = ours ? (other, result) : (result, other);
        Same(Messages(expected), Messages(actual));
        foreach (string image in Images())
        {
            string mine = Path.Combine(_directory.Path, image);
            string others = Path.Combine(_copy.Path, image);
            Same(Sandbox.Bitmaps(ours ? others : mine), Sandbox.Bitmaps(ours ? mine : others));
            Same(Sandbox.Describe(ours ? _copy.Path : _directory.Path, image), Sandbox.Describe(ours ? _directory.Path : _copy.Path, image));
            Check(Programs.Execute(_directory.Path, Programs.QemuImg, "compare", image, others));
        }

        return result;
    }

    private static ToolResult Run(bool ours, string directory, string[] arguments) =>
        ours ? Programs.RunOurs(directory, arguments) : Programs.Execute(directory, Programs.QemuImg, arguments);

    private IEnumerable<string> Images() => new[] { Top, "one.qcow2", "two.qcow2" }.Where(name => File.Exists(_directory[name]));

    private static string Messages(ToolResult result) => $"{result.Error}exit code {result.ExitCode}\n";

    private void Same(string expected, string actual) =>
        Assert.True(expected == actual, $"{string.Join('\n', _log)}\n(- qemu-img, + ours)\n{LineDifference.Of(expected, actual)}");

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
