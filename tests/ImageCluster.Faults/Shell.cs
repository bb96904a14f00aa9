using System.Diagnostics;

namespace ImageCluster.Faults;

/// <summary>Runs programs and says what they said when they fail.</summary>
internal static class Shell
{
    /// <summary>What it printed. Fails where its exit code is not 0.</summary>
    public static string Run(string program, params string[] arguments)
    {
        (int exitCode, string output) = Try(program, arguments);
        return exitCode == 0 ? output : throw new FaultException($"{program} {string.Join(' ', arguments)}: exit {exitCode}: {output.Trim()}");
    }

    public static (int ExitCode, string Output) Try(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }
}
