using System.Diagnostics;

namespace ImageCluster.Cli.Demonstrating;

/// <summary>mke2fs and debugfs of e2fsprogs, which the demo uses where the machine has them.</summary>
internal sealed class FileSystemTools
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly string _mke2fs;
    private readonly string _debugfs;

    private FileSystemTools(string mke2fs, string debugfs)
    {
        _mke2fs = mke2fs;
        _debugfs = debugfs;
    }

    /// <summary>The machine's tools, or null where one is missing.</summary>
    public static FileSystemTools? Find() =>
        Locate("mke2fs") is { } mke2fs && Locate("debugfs") is { } debugfs ? new FileSystemTools(mke2fs, debugfs) : null;

    /// <summary>The path of a program, also where it lies in a directory for administrators; null where it is not there.</summary>
    public static string? Locate(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Concat(["/usr/sbin", "/sbin"])
        .Select(directory => Path.Join(directory, program))
        .FirstOrDefault(File.Exists);

    /// <summary>Makes an image file that holds an ext4 file system with the files of a directory.</summary>
    public void MakeFileSystem(string image, long length, string files) =>
        Run(_mke2fs, ["-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=0", "-d", files, image, $"{length >> 10}k"]);

    /// <summary>Carries out debugfs commands on the file system in an image file.</summary>
    public void Change(string image, string directory, IReadOnlyList<string> commands)
    {
        string script = Path.Join(directory, "changes.debugfs");
        File.WriteAllLines(script, commands);
        Run(_debugfs, ["-w", "-f", script, image]);
        File.Delete(script);
    }

    private static void Run(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true };
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill();
            throw new CliException(ExitCode.SomeFailed, $"{program} does not end");
        }

        output.Wait(Patience);
        if (process.ExitCode != 0)
        {
            string line = error.GetAwaiter().GetResult().Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault() ?? $"exit code {process.ExitCode}";
            throw new CliException(ExitCode.SomeFailed, $"{program} failed: {line.Trim()}");
        }
    }
}
