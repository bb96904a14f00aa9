using System.Diagnostics;
using Xunit;

namespace ImageCluster.Testing.Qemu;

/// <summary>The reference: Debian's qemu-img and qemu-io, run with the arguments given.</summary>
public static class QemuTools
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Skips the test, naming what is missing, where qemu-utils is not installed.</summary>
    public static void Require()
    {
        Skip.IfNot(File.Exists("/usr/bin/qemu-img") && File.Exists("/usr/bin/qemu-io"), "qemu-img and qemu-io (Debian: qemu-utils) are not installed");
    }

    /// <summary>Runs qemu-img; fails the test where it fails. Returns its standard output.</summary>
    public static string Img(params string[] arguments) => Succeed("qemu-img", arguments);

    /// <summary>Runs qemu-img and returns whatever comes of it.</summary>
    public static ToolResult TryImg(params string[] arguments) => Run("qemu-img", arguments);

    /// <summary>Runs qemu-io's commands on an image of a stated format.</summary>
    public static string Io(string image, string format, params string[] commands)
    {
        List<string> arguments = ["-f", format];
        foreach (string command in commands)
        {
            arguments.AddRange(["-c", command]);
        }

        string output = Succeed("qemu-io", [.. arguments, image]);
        Assert.DoesNotContain("failed", output, StringComparison.Ordinal);
        return output;
    }

    /// <summary>Runs qemu-io's commands and returns whatever comes of it: <c>abort</c>, for one, ends it by a signal.</summary>
    public static ToolResult TryIo(string image, string format, params string[] commands) =>
        Run("qemu-io", ["-f", format, .. commands.SelectMany(command => new[] { "-c", command }), image]);

    /// <summary>Runs qemu-io's commands on an image that is described by options, and returns whatever comes of it.</summary>
    public static ToolResult TryIoOpts(string options, IEnumerable<string> arguments, params string[] commands) =>
        Run("qemu-io", [.. arguments, "--image-opts", .. commands.SelectMany(command => new[] { "-c", command }), options]);

    private static string Succeed(string program, string[] arguments)
    {
        ToolResult result = Run(program, arguments);
        Assert.True(result.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: exit code {result.ExitCode}\n{result.Error}{result.Output}");
        return result.Output;
    }

    private static ToolResult Run(string program, string[] arguments)
    {
        // By its whole path: our own qemu-img lies beside tests that refer to it, and the current directory comes before the PATH.
        ProcessStartInfo start = new(Path.Combine("/usr/bin", program), arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill();
            Assert.Fail($"{program} {string.Join(' ', arguments)} does not end");
        }

        return new ToolResult(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }
}

/// <summary>What a program left behind.</summary>
public sealed record ToolResult(int ExitCode, string Output, string Error);
