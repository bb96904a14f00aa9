using System.Diagnostics;

namespace ImageCluster.Imaging.Tests.Formats.BlockTables;

/// <summary>The readers of the libyal project (libvhdi, libqcow, libvmdk): they describe an image, and show its guest's bytes where FUSE is there.</summary>
/// <param name="Library">The name in <c>NAMEinfo</c> and <c>NAMEmount</c>; Debian's package is <c>libNAME-utils</c>.</param>
public sealed record LibraryReader(string Library)
{
    /// <summary>What the library says of an image; skips the test where it is not installed.</summary>
    public string Describe(string image)
    {
        string program = $"/usr/bin/{Library}info";
        Skip.IfNot(File.Exists(program), $"{Library}info (Debian: lib{Library}-utils) is not installed");
        (int exitCode, string output) = Run(program, image);
        Assert.True(exitCode == 0, output);
        return output;
    }

    /// <summary>The guest's bytes; null where nothing can be mounted here.</summary>
    /// <param name="image">The image.</param>
    /// <param name="directory">Where to mount: made here.</param>
    public byte[]? Read(string image, string directory)
    {
        Directory.CreateDirectory(directory);
        if (!File.Exists("/dev/fuse") || Run($"/usr/bin/{Library}mount", image, directory).ExitCode != 0)
        {
            return null;
        }

        try
        {
            // The program goes on in the background; the file is there a moment later.
            string[] files = [];
            Until(() => (files = Directory.GetFiles(directory)).Length > 0);
            return files is [var only] ? File.ReadAllBytes(only) : null;
        }
        finally
        {
            Until(() => Run("umount", directory).ExitCode == 0);
        }
    }

    private static void Until(Func<bool> isSo)
    {
        for (var passed = Stopwatch.StartNew(); !isSo() && passed.Elapsed < TimeSpan.FromSeconds(30);)
        {
            Run("sleep", "0.05");
        }
    }

    private static (int ExitCode, string Output) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + error.GetAwaiter().GetResult());
    }
}
