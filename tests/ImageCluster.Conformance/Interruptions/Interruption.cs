using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Conformance.Interruptions;

/// <summary>Runs a case on files in memory, and judges what an interruption left of them.</summary>
internal sealed class Interruption
{
    private const int Sector = 512;
    private const int NoCheck = 63;
    private const int Leaks = 3;
    private const int Crashed = 134;

    private readonly InterruptionCase _case;
    private readonly MemoryLocator _start;
    private readonly byte[]?[] _before;
    private readonly byte[]?[] _done;
    private readonly Marks?[] _marksBefore;
    private readonly Marks?[] _marksDone;

    /// <param name="interrupted">What is run.</param>
    /// <param name="directory">Where its files lie.</param>
    public Interruption(InterruptionCase interrupted, string directory)
    {
        _case = interrupted;
        _start = Load(directory);
        _before = Contents(_start);
        _marksBefore = AllMarks(_start);
        Undisturbed = new CrashLocator(_start);
        ToolResult result = RunOn(Undisturbed);
        Failure = result.ExitCode == 0 ? "" : $"undisturbed: exit code {result.ExitCode}\n{result.Error}";
        MemoryLocator done = Undisturbed.AfterKill(Undisturbed.Instants);
        _done = Contents(done);
        _marksDone = AllMarks(done);
    }

    /// <summary>What is wrong where nothing interrupts it; "" for nothing.</summary>
    public string Failure { get; }

    /// <summary>The command does one thing after another: of what several threads do at once, any failure may be told.</summary>
    public bool IsOneThing => _case.Line.Split(' ')[0] is "resize" or "snapshot" or "amend" or "bitmap";

    /// <summary>The whole run, change by change.</summary>
    public CrashLocator Undisturbed { get; }

    /// <summary>Files of one's own, as they are before the command.</summary>
    public MemoryLocator Start() => _start.Clone();

    /// <summary>Runs the case's command on files.</summary>
    public ToolResult RunOn(IFileLocator files) => Run(files, CommandLineText.Split(_case.Line));

    /// <summary>All is as after the undisturbed run: what failed did not matter.</summary>
    public bool IsDone(MemoryLocator files) => Contents(files).Zip(_done).All(static pair => pair.First.AsSpan().SequenceEqual(pair.Second));

    /// <summary>What is wrong with the files that are left, "" for nothing: by ours, which repairs them.</summary>
    public string Judge(MemoryLocator files) =>
        Judge(arguments => Run(files, arguments), name => Take(files, name), files.Exists, view => Marks.Read(files, view.File, view));

    /// <summary>What is wrong with the files that are left, "" for nothing: by qemu-img, in a directory.</summary>
    public string JudgeByQemu(MemoryLocator files, string directory)
    {
        Save(files, directory);
        string verdict = Judge(arguments => Programs.Execute(directory, Programs.QemuImg, arguments), name => Take(directory, name), name => File.Exists(Path.Combine(directory, name)),
            view => Marks.Read(new LocalFileLocator(), Path.Combine(directory, view.File), view));
        Directory.Delete(directory, recursive: true);
        return verdict.Length == 0 ? "" : "by qemu-img: " + verdict;
    }

    private string Judge(Func<string[], ToolResult> run, Func<string, byte[]> take, Func<string, bool> exists, Func<View, Marks?> marks)
    {
        foreach (View view in _case.Views.Where(view => view.Snapshot is null && exists(view.File)))
        {
            if ((view.IsNew || view.Password is not null) && view.Read(run, take) is null)
            {
                // Judged below: it may be one that is not there yet, or a password that holds no more.
                continue;
            }

            if (run(["check", .. view.Opening]).ExitCode is 0 or NoCheck)
            {
                continue;
            }

            ToolResult repaired = run(["check", "-r", "all", .. view.Opening]);
            ToolResult check = run(["check", .. view.Opening]);

            // Of room that nobody has, qed has no account: neither program gives it back.
            bool isSound = view.Format == "qed" ? check.ExitCode is 0 or Leaks : (repaired.ExitCode, check.ExitCode) == (0, 0);
            if (!isSound)
            {
                return $"check -r all {view}: {repaired.ExitCode} {repaired.Output}{repaired.Error}, and then {check.ExitCode} {check.Output}{check.Error}";
            }
        }

        for (int i = 0; i < _case.Views.Count; i++)
        {
            View view = _case.Views[i];
            byte[]? now = exists(view.File) ? view.Read(run, take) : null;
            if (Verdict(view, _before[i], now, _done[i]) is { Length: > 0 } verdict)
            {
                return $"{view}: {verdict}\n{(now is null && exists(view.File) ? run(view.Reading).Error : "")}";
            }

            if (now is not null && _before[i] is { } before && _marksBefore[i] is { } marksBefore && _marksDone[i] is { } marksDone
                && (marks(view)?.Verdict(marksBefore, marksDone, _case.Line.StartsWith("rebase -u", StringComparison.Ordinal) ? null : before, now) ?? "the bitmaps cannot be read") is { Length: > 0 } complaint)
            {
                return $"{view}: {complaint}";
            }
        }

        return "";
    }

    private static string Verdict(View view, byte[]? before, byte[]? now, byte[]? done)
    {
        if (now is null)
        {
            return before is null || done is null || view.IsNew ? "" : "cannot be read";
        }

        if (view.IsNew && (view.Format == "luks" || (before is not null && now.AsSpan().SequenceEqual(before))))
        {
            // It is not touched yet; or where nothing is written there is no cipher text: no zeros either.
            return "";
        }

        if (!view.IsNew && before is not null && now.Length != before.Length && now.Length != done?.Length)
        {
            return $"has {now.Length} bytes, neither {before.Length} nor {done?.Length}";
        }

        for (int at = 0; at < now.Length; at += Sector)
        {
            if (!IsSame(now, view.IsNew ? null : before, at) && !IsSame(now, done, at))
            {
                return $"the sector at {at} is neither as it was nor as it will be";
            }
        }

        return "";
    }

    // Beyond the end there are zeros.
    private static bool IsSame(byte[] now, byte[]? other, int at)
    {
        ReadOnlySpan<byte> sector = now.AsSpan(at, Math.Min(Sector, now.Length - at));
        ReadOnlySpan<byte> expected = other is null || at >= other.Length ? [] : other.AsSpan(at, Math.Min(sector.Length, other.Length - at));
        return sector[..expected.Length].SequenceEqual(expected) && !sector[expected.Length..].ContainsAnyExcept((byte)0);
    }

    private byte[]?[] Contents(MemoryLocator files) => [.. _case.Views.Select(view => files.Exists(view.File) ? view.Read(arguments => Run(files, arguments), name => Take(files, name)) : null)];

    private Marks?[] AllMarks(MemoryLocator files) => [.. _case.Views.Select(view => Marks.Read(files, view.File, view))];

    private static ToolResult Run(IFileLocator files, string[] arguments)
    {
        StringWriter output = new();
        StringWriter errors = new();
        try
        {
            int code = QemuImgProgram.Run("qemu-img", arguments, output, errors, files);
            return new ToolResult(code, output.ToString(), errors.ToString());
        }
        catch (Exception e) when (e is not ImageException)
        {
            return new ToolResult(Crashed, output.ToString(), $"{errors}{e}\n");
        }
    }

    private static byte[] Take(MemoryLocator files, string name)
    {
        byte[] bytes = files[name];
        files.Delete(name);
        return bytes;
    }

    private static byte[] Take(string directory, string name)
    {
        string path = Path.Combine(directory, name);
        byte[] bytes = File.ReadAllBytes(path);
        File.Delete(path);
        return bytes;
    }

    private static MemoryLocator Load(string directory)
    {
        MemoryLocator files = new();
        foreach (string path in Directory.GetFiles(directory))
        {
            MemoryStore store = new();
            using SafeFileHandle file = File.OpenHandle(path);
            byte[] block = new byte[MemoryStore.BlockSize];
            for (long at = 0; RandomAccess.Read(file, block, at) is > 0 and var count; at += count)
            {
                if (block.AsSpan(0, count).ContainsAnyExcept((byte)0))
                {
                    store.Write(at, block.AsSpan(0, count));
                }
            }

            store.SetLength(RandomAccess.GetLength(file));
            files.Add(Path.GetFileName(path), store);
        }

        return files;
    }

    private static void Save(MemoryLocator files, string directory)
    {
        Directory.CreateDirectory(directory);
        foreach (string name in files.Names)
        {
            using SafeFileHandle file = File.OpenHandle(Path.Combine(directory, Path.GetFileName(name)), FileMode.Create, FileAccess.Write);
            MemoryStore store = files.Store(name);
            RandomAccess.SetLength(file, store.Length);
            byte[] block = new byte[MemoryStore.BlockSize];
            for (long at = 0; at < store.Length;)
            {
                (long length, bool isHole) = store.NextRange(at, Math.Min(MemoryStore.BlockSize - (at % MemoryStore.BlockSize), store.Length - at));
                if (!isHole)
                {
                    RandomAccess.Write(file, block.AsSpan(0, store.Read(at, block.AsSpan(0, (int)length))), at);
                }

                at += length;
            }
        }
    }
}
