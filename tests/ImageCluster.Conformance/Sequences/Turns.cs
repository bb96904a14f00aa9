using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance.Sequences;

/// <summary>
/// Lets one program change the images and the other do the same to a copy, and demands that both came to the same. With CONFORMANCE_KEEP in the
/// environment the images are left behind, and the history says where.
/// </summary>
internal sealed class Turns : IDisposable
{
    private static readonly bool Keeps = Environment.GetEnvironmentVariable("CONFORMANCE_KEEP") is not null;

    private readonly TempDirectory _directory = new();
    private readonly TempDirectory _copy = new();
    private readonly List<string> _log = [];

    /// <summary>Where the images are.</summary>
    public string Directory => _directory.Path;

    /// <summary>All that was done, for the message of a failure.</summary>
    public string History => string.Join('\n', Keeps ? _log.Append($"{Directory} and {_copy.Path}") : _log);

    public void Dispose()
    {
        if (!Keeps)
        {
            _directory.Dispose();
            _copy.Dispose();
        }
    }

    /// <summary>Adds a line to the history.</summary>
    public void Note(string line) => _log.Add(line);

    /// <summary>One program does it, the other does it to a copy; what they say and the images that come of it must be the same.</summary>
    /// <param name="ours">Ours does it to the images, qemu-img to the copy; else the other way round.</param>
    /// <param name="arguments">The command.</param>
    /// <param name="images">What is compared.</param>
    /// <param name="done">What to do when it succeeded, before the images are looked at.</param>
    public ToolResult Run(bool ours, string[] arguments, IReadOnlyList<SequenceImage> images, Action? done = null)
    {
        Note($"{(ours ? "ours" : "qemu")}: {string.Join(' ', arguments)}");
        Empty(_copy.Path);
        Check(Programs.Execute(Directory, "cp", "-a", "--sparse=auto", ".", _copy.Path));
        ToolResult result = RunOne(ours, Directory, arguments);
        ToolResult other = RunOne(!ours, _copy.Path, arguments);
        (ToolResult expected, ToolResult actual) = ours ? (other, result) : (result, other);
        Same(Messages(arguments, expected), Messages(arguments, actual));
        if (result.ExitCode == 0)
        {
            done?.Invoke();
        }

        (string theirs, string mine) = ours ? (_copy.Path, Directory) : (Directory, _copy.Path);
        Same(Files(theirs), Files(mine));
        if (!HaveSameBytes())
        {
            foreach (SequenceImage image in images)
            {
                Same(Sandbox.Bitmaps(Path.Combine(theirs, image.Name)), Sandbox.Bitmaps(Path.Combine(mine, image.Name)));
                Same(Sandbox.Describe(theirs, image.Name), Sandbox.Describe(mine, image.Name));
                Check(Programs.Execute(Directory, Programs.QemuImg, ["compare", .. image.Words(asNode: true), image.Node(_copy.Path)]));
            }
        }

        if (result.ExitCode != 0)
        {
            _log[^1] += $"  -> {result.Error.Trim()}";
        }

        return result;
    }

    /// <summary>Qemu-img alone does it, and must not fail.</summary>
    public void Theirs(params string[] arguments)
    {
        Note($"qemu: {string.Join(' ', arguments)}");
        Check(Programs.Execute(Directory, Programs.QemuImg, arguments));
    }

    /// <summary>Ours alone does it, or refuses it.</summary>
    public void Ours(string[] arguments)
    {
        ToolResult result = Programs.RunOurs(Directory, arguments);
        Assert.True(result.ExitCode is 0 or 1, $"{History}\n{result.Error}");
        Note($"ours alone: {string.Join(' ', arguments)}{(result.ExitCode == 0 ? "" : "  -> ")}{result.Error.Trim()}");
    }

    /// <summary>Qemu-io does it; false where it could not.</summary>
    public bool Io(SequenceImage image, string command)
    {
        Note($"qemu-io: {command}");
        ToolResult result = Programs.Execute(Directory, "qemu-io", ["-c", command, .. image.Words(asNode: true)]);
        if (result.ExitCode is not (0 or 1))
        {
            Check(result);
        }

        _log[^1] += result.ExitCode == 0 ? "" : $"  -> {result.Output.Trim()}{result.Error.Trim()}";
        return result.ExitCode == 0;
    }

    /// <summary>What the guest sees of an image, as qemu-img reads it.</summary>
    public byte[] Read(SequenceImage image)
    {
        Check(Programs.Execute(Directory, Programs.QemuImg, ["convert", "-O", "raw", .. image.Words(asNode: true), "read.raw"]));
        byte[] content = File.ReadAllBytes(_directory["read.raw"]);
        File.Delete(_directory["read.raw"]);
        return content;
    }

    /// <summary>Both say the same of the images as they are.</summary>
    public ToolResult Both(params string[] arguments)
    {
        ToolResult theirs = Programs.Execute(Directory, Programs.QemuImg, arguments);
        ToolResult ours = Programs.RunOurs(Directory, arguments);
        string command = $"both: {string.Join(' ', arguments)}\n";
        Same($"{command}{theirs.Output}{theirs.Error}exit code {theirs.ExitCode}\n", $"{command}{ours.Output}{ours.Error}exit code {ours.ExitCode}\n");
        return theirs;
    }

    /// <summary>Fails with the history unless the program ended well.</summary>
    public void Check(ToolResult result) => Assert.True(result.ExitCode == 0, $"{History}\n{result.Output}{result.Error}exit code {result.ExitCode}");

    /// <summary>Fails with the history and what differs unless both texts are the same.</summary>
    public void Same(string expected, string actual) => Assert.True(expected == actual, $"{History}\n(- qemu-img, + ours)\n{LineDifference.Of(expected, actual)}");

    private static ToolResult RunOne(bool ours, string directory, string[] arguments) =>
        ours ? Programs.RunOurs(directory, arguments) : Programs.Execute(directory, Programs.QemuImg, arguments);

    // Bench says how long it took. What fails in several places at once qemu-img says several times.
    private static string Messages(string[] arguments, ToolResult result) =>
        $"{(arguments[0] == "bench" ? "" : result.Output)}{string.Concat(result.Error.Split('\n').Distinct().Select(static line => line + "\n"))}exit code {result.ExitCode}\n";

    private static string Files(string directory) =>
        string.Join('\n', System.IO.Directory.EnumerateFiles(directory).Select(static file => Path.GetFileName(file)).Order(StringComparer.Ordinal));

    private bool HaveSameBytes() => System.IO.Directory.EnumerateFiles(Directory)
        .All(file => File.ReadAllBytes(file).AsSpan().SequenceEqual(File.ReadAllBytes(_copy[Path.GetFileName(file)])));

    private static void Empty(string directory)
    {
        foreach (string file in System.IO.Directory.EnumerateFiles(directory))
        {
            File.Delete(file);
        }
    }
}
