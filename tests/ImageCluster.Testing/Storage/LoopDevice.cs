using System.Diagnostics;
using Xunit;

namespace ImageCluster.Testing.Storage;

/// <summary>A block device over a file; skips the test where this machine does not let us make one.</summary>
public sealed class LoopDevice : IDisposable
{
    private LoopDevice(string path) => Path = path;

    /// <summary>The path in /dev.</summary>
    public string Path { get; }

    /// <summary>A device of so many bytes over a new file.</summary>
    public static LoopDevice Make(string file, long length)
    {
        using (Microsoft.Win32.SafeHandles.SafeFileHandle handle = File.OpenHandle(file, FileMode.Create, FileAccess.ReadWrite))
        {
            RandomAccess.SetLength(handle, length);
        }

        return Over(file);
    }

    /// <summary>A device over a file that is there.</summary>
    public static LoopDevice Over(string file, bool isReadOnly = false)
    {
        Skip.IfNot(Environment.UserName == "root" && File.Exists("/dev/loop-control"), "block devices: not root, or no loop devices here");
        string[] mode = isReadOnly ? ["--read-only"] : [];
        (int exitCode, string output) = Run("losetup", ["--find", "--show", .. mode, file]);
        Skip.IfNot(exitCode == 0, $"block devices: losetup fails here: {output}");
        return new LoopDevice(output.Trim());
    }

    public void Dispose() => Run("losetup", "--detach", Path);

    /// <summary>Runs a program of the system; -1 where it is not installed.</summary>
    public static (int ExitCode, string Output) Run(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            string output = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return (-1, e.Message);
        }
    }
}
