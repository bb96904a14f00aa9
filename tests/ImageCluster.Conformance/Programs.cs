using System.Diagnostics;
using ImageCluster.Imaging;
using ImageCluster.QemuImg;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Conformance;

/// <summary>Runs the programs that are compared.</summary>
internal static class Programs
{
    private const int MaxRepeats = 50;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>The reference. By its path: a bare name would find ours, which stands beside the tests.</summary>
    public const string QemuImg = "/usr/bin/qemu-img";

    /// <summary>True where qemu-img has its curl driver: a module of its own.</summary>
    public static bool QemuReadsWeb { get; } = Directory.Exists("/usr/lib") && Directory.GetDirectories("/usr/lib", "*-linux-gnu*")
        .Any(static directory => File.Exists(Path.Combine(directory, "qemu", "block-curl.so")));

    /// <summary>Ours as a process of its own, from the test's output directory.</summary>
    public static string OwnBinary => Path.Combine(AppContext.BaseDirectory, "qemu-img");

    /// <summary>Runs ours within this process. The current directory is the process's, so no two of these may run at once.</summary>
    public static ToolResult RunOurs(string directory, string[] arguments)
    {
        Directory.SetCurrentDirectory(directory);
        try
        {
            StringWriter output = new();
            StringWriter errors = new();
            int code = QemuImgProgram.Run("qemu-img", arguments, output, errors);
            return new ToolResult(code, output.ToString(), errors.ToString());
        }
        catch (Exception e) when (e is not ImageException)
        {
            return new ToolResult(134, "", $"{e}\n");
        }
        finally
        {
            Directory.SetCurrentDirectory(AppContext.BaseDirectory);
        }
    }

    /// <summary>Runs any program in a directory. Where qemu-img could not measure how fast it hashes (on a busy machine) it is run again.</summary>
    public static ToolResult Execute(string directory, string program, params string[] arguments)
    {
        ToolResult result = ExecuteOnce(directory, program, arguments);
        for (int i = 0; i < MaxRepeats && result.Error.Contains("Unable to get accurate CPU usage", StringComparison.Ordinal); i++)
        {
            result = ExecuteOnce(directory, program, arguments);
        }

        return result;
    }

    /// <summary>As <see cref="Execute"/>; null where the program does not end.</summary>
    public static ToolResult? ExecuteOrNull(string directory, string program, params string[] arguments)
    {
        ToolResult? result = TryExecute(directory, program, arguments, Patience);
        return result is null || !result.Error.Contains("Unable to get accurate CPU usage", StringComparison.Ordinal) ? result : Execute(directory, program, arguments);
    }

    private static ToolResult ExecuteOnce(string directory, string program, string[] arguments)
    {
        ToolResult? result = TryExecute(directory, program, arguments, Patience);
        Assert.True(result is not null, $"{program} {string.Join(' ', arguments)} does not end");
        return result!;
    }

    // Null where it does not end.
    private static ToolResult? TryExecute(string directory, string program, string[] arguments, TimeSpan patience)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(patience))
        {
            process.Kill();
            process.WaitForExit();
            return null;
        }

        return new ToolResult(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }
}
