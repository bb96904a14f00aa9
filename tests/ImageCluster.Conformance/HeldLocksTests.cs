using System.Globalization;
using System.Text.RegularExpressions;
using ImageCluster.Conformance.Interruptions;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>
/// Which of QEMU's locks a command holds on each file while it writes: they alone decide whom it keeps out, and in which words, so ours holds what qemu-img
/// holds. (QEMU's block/file-posix.c: 100+p: permission p is used; 200+p: others must not use it.)
/// </summary>
public sealed partial class HeldLocksTests(InterruptionFiles inputs) : IClassFixture<InterruptionFiles>, IDisposable
{
    private const string Strace = "/usr/bin/strace";

    private static readonly string[] Images =
    [
        "img create -q -f raw src 1M", "io raw src 'write -P 3 0 200k'", "img create -q -f qcow2 x.qcow2 1M", "img create -q -f qcow2 base.qcow2 1M", "io qcow2 base.qcow2 'write -P 1 0 500k'", "img create -q -f qcow2 other.qcow2 1M",
        "img create -q -f raw base.raw 1M", "img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2", "io qcow2 top.qcow2 'write -P 4 100k 100k'", "img create -q -f qcow2 -o data_file=d.data d.qcow2 1M",
        "img create -q -f vmdk -o subformat=monolithicFlat f.vmdk 1M",

        "img create -q -f qcow2 -b base.raw -F raw ontoraw.qcow2", "io qcow2 ontoraw.qcow2 'write -P 4 100k 100k'", "img create -q -f qcow2 -b base.raw -F raw growsraw.qcow2 3M", "io qcow2 growsraw.qcow2 'write -P 4 100k 100k'",

        // A cluster that is counted and not used.
        "img create -q -f qcow2 leaks.qcow2 1M", "io raw leaks.qcow2 'write -P 1 131084 512'",
    ];

    // Making these takes seconds.
    private static readonly string[] Encrypted =
    [
        "img create -q -f luks --object secret,id=s,data=abc -o key-secret=s,iter-time=1 x.luks 1M", "img create -q -f qcow2 --object secret,id=s,data=abc -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=1 e.qcow2 1M",
    ];

    private readonly TempDirectory _directory = new(Directory.Exists("/dev/shm") ? "/dev/shm" : null);

    public void Dispose() => _directory.Dispose();

    /// <summary>Images that are there: the locks are the same.</summary>
    [SkippableTheory]
    [InlineData("amend -f qcow2 -o compat=0.10 x.qcow2")]
    [InlineData("amend --object secret,id=s,data=abc --object secret,id=n,data=new -o encrypt.state=active,encrypt.new-secret=n,encrypt.iter-time=1 --image-opts driver=qcow2,file.filename=e.qcow2,encrypt.key-secret=s")]
    [InlineData("amend --object secret,id=s,data=abc --object secret,id=n,data=new -o state=active,new-secret=n,iter-time=1 --image-opts driver=luks,file.filename=x.luks,key-secret=s")]
    [InlineData("bitmap -f qcow2 --add x.qcow2 c")]
    [InlineData("bench -w -f raw -c 3 base.raw")]
    [InlineData("bench -w -f qcow2 -c 3 d.qcow2")]
    [InlineData("bench -w -f vmdk -c 3 f.vmdk")]
    [InlineData("check -r all -f qcow2 leaks.qcow2")]
    [InlineData("commit -f qcow2 top.qcow2")]
    [InlineData("convert -n -f raw -O qcow2 src d.qcow2")]
    [InlineData("convert -n -f raw -O vmdk src f.vmdk")]
    [InlineData("rebase -f qcow2 -b other.qcow2 -F qcow2 top.qcow2")]
    [InlineData("rebase -f qcow2 -u -b other.qcow2 -F qcow2 top.qcow2")]
    [InlineData("resize -f qcow2 top.qcow2 2M")]
    [InlineData("resize -f raw base.raw 2M")]
    [InlineData("snapshot -c a x.qcow2")]
    public void WhileAnImageIsChanged(string line)
    {
        (SortedDictionary<string, SortedSet<string>> theirs, SortedDictionary<string, SortedSet<string>> ours) = Both(line);

        // While QEMU itself changes what it asks for, for an instant.
        foreach (SortedSet<string> held in theirs.Values)
        {
            held.RemoveWhere(static state => !state.Contains("100", StringComparison.Ordinal));
        }

        Assert.Equal(Text(theirs), Text(ours));
    }

    /// <summary>A raw base: ours holds what qemu-img holds, and goes on saying that it reads.</summary>
    [SkippableTheory]
    [InlineData("commit -f qcow2 ontoraw.qcow2")]
    [InlineData("commit -f qcow2 -d ontoraw.qcow2")]
    [InlineData("commit -f qcow2 growsraw.qcow2")]
    public void WhileARawBaseIsCommittedInto(string line)
    {
        (SortedDictionary<string, SortedSet<string>> theirs, SortedDictionary<string, SortedSet<string>> ours) = Both(line);
        string state = Assert.Single(theirs["base.raw"], static held => held.Contains("101", StringComparison.Ordinal) && held.Contains("203", StringComparison.Ordinal));
        Assert.Equal($"100 {state}", Assert.Single(ours["base.raw"]));
    }

    /// <summary>New images: ours holds from the start what qemu-img comes to hold in the end.</summary>
    [SkippableTheory]
    [InlineData("convert -f raw -O raw src z")]
    [InlineData("convert -f raw -O qcow2 -o data_file=z.data src z")]
    [InlineData("convert -f raw -O vmdk -o subformat=monolithicFlat src z.vmdk")]
    [InlineData("convert -f raw -O qcow2 -B base.qcow2 -F qcow2 src z")]
    [InlineData("dd -f raw -O qcow2 if=src of=z")]
    public void WhileAnImageIsMade(string line)
    {
        (SortedDictionary<string, SortedSet<string>> theirs, SortedDictionary<string, SortedSet<string>> ours) = Both(line);
        Assert.Equal(theirs.Keys, ours.Keys);
        Assert.All(ours, one => Assert.True(one.Value.Count == 1 && one.Value.IsSubsetOf(theirs[one.Key]), $"{one.Key}: ours holds {string.Join(" | ", one.Value)}, qemu-img {string.Join(" | ", theirs[one.Key])}"));
    }

    private (SortedDictionary<string, SortedSet<string>> Theirs, SortedDictionary<string, SortedSet<string>> Ours) Both(string line)
    {
        QemuTools.Require();
        Skip.IfNot(File.Exists(Strace) && Programs.Execute(_directory.Path, Strace, "-f", "--seccomp-bpf", "-e", "trace=close", "-o", "/dev/null", "true").ExitCode == 0, "strace is not installed, or may not trace here");
        IReadOnlyList<string> setup = line.Contains("secret", StringComparison.Ordinal) ? [.. Images, .. Encrypted] : Images;
        inputs.Inputs.CopyTo(setup, _directory["t"]);
        inputs.Inputs.CopyTo(setup, _directory["o"]);
        return (Held(Programs.QemuImg, "t", line), Held(Programs.OwnBinary, "o", line));
    }

    // For each file that is open while one is written: what is held of it then.
    private SortedDictionary<string, SortedSet<string>> Held(string program, string side, string line)
    {
        string directory = _directory[side];
        string log = _directory[side + ".log"];
        ToolResult result = Programs.Execute(directory, Strace,
            ["-f", "--seccomp-bpf", "-o", log, "-e", "trace=openat,close,fcntl,pwrite64,pwritev,ftruncate,fallocate", program, .. CommandLineText.Split(line)]);
        Assert.True(result.ExitCode == 0, result.Error);
        Dictionary<int, (string Name, SortedSet<int> Bytes)> open = [];
        Dictionary<string, string> begun = [];
        SortedDictionary<string, SortedSet<string>> held = new(StringComparer.Ordinal);
        foreach (string entry in File.ReadLines(log))
        {
            string thread = entry.Split(' ')[0];
            string call = entry[thread.Length..].TrimStart();
            if (Resumed().Match(call) is { Success: true } end && begun.Remove(thread, out string? start))
            {
                call = start + call[end.Length..];
            }
            else if (call.IndexOf("<unfinished ...>", StringComparison.Ordinal) is > 0 and var at)
            {
                begun[thread] = call[..at];
                continue;
            }

            Follow(call, directory, open, held);
        }

        return held;
    }

    private static void Follow(string call, string directory, Dictionary<int, (string Name, SortedSet<int> Bytes)> open, SortedDictionary<string, SortedSet<string>> held)
    {
        if (Opened().Match(call) is { Success: true } opened)
        {
            string path = Path.Combine(directory, opened.Groups[1].Value);
            open[Number(opened, 2)] = (Path.GetDirectoryName(path) == directory && File.Exists(path) ? Path.GetFileName(path) : "", []);
        }
        else if (Closed().Match(call) is { Success: true } closed)
        {
            open.Remove(Number(closed, 1));
        }
        else if (Locked().Match(call) is { Success: true } locked && open.TryGetValue(Number(locked, 1), out (string Name, SortedSet<int> Bytes) file))
        {
            foreach (int at in Enumerable.Range(Number(locked, 3), Math.Min(Number(locked, 4), 300)))
            {
                _ = locked.Groups[2].Value == "UN" ? file.Bytes.Remove(at) : file.Bytes.Add(at);
            }
        }
        else if (Written().Match(call) is { Success: true } written && open.TryGetValue(Number(written, 1), out (string Name, SortedSet<int> Bytes) target) && target.Name.Length > 0)
        {
            foreach (IGrouping<string, SortedSet<int>> one in open.Values.Where(static one => one.Name.Length > 0).GroupBy(static one => one.Name, static one => one.Bytes))
            {
                held.TryAdd(one.Key, new SortedSet<string>(StringComparer.Ordinal));
                held[one.Key].Add(string.Join(' ', one.SelectMany(static bytes => bytes).Distinct().Order()));
            }
        }
    }

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    private static string Text(SortedDictionary<string, SortedSet<string>> held) => string.Concat(held.Select(static one => $"{one.Key}: {string.Join(" | ", one.Value)}\n"));

    [GeneratedRegex(@"^<\.\.\. \w+ resumed>")]
    private static partial Regex Resumed();

    [GeneratedRegex(@"^openat\(AT_FDCWD, ""([^""]*)"".* = (\d+)$")]
    private static partial Regex Opened();

    [GeneratedRegex(@"^close\((\d+)\)")]
    private static partial Regex Closed();

    [GeneratedRegex(@"^fcntl\((\d+), F_OFD_SETLK, \{l_type=F_(UN|RD)LCK, l_whence=SEEK_SET, l_start=(\d+), l_len=(\d+).* = 0$")]
    private static partial Regex Locked();

    [GeneratedRegex(@"^(?:pwrite64|pwritev|ftruncate|fallocate)\((\d+),")]
    private static partial Regex Written();
}
