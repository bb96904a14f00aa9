using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace ImageCluster.Deployment.Tests;

/// <summary>The tree that the tests belong to.</summary>
internal static partial class Repository
{
    public static string Root { get; } = Path.GetFullPath("../..", Path.GetDirectoryName(ThisFile())!);

    public static string PathOf(string relative) => Path.Combine(Root, relative);

    public static string Read(string relative) => File.ReadAllText(PathOf(relative));

    /// <summary>The keys of the node's settings, from the reference page, which is made from the code.</summary>
    public static IReadOnlySet<string> SettingKeys { get; } = Row().Matches(Read("docs/node.md")).Select(match => match.Groups[1].Value).ToHashSet();

    /// <summary>The environment variables of the node's settings.</summary>
    public static IReadOnlySet<string> SettingVariables { get; } =
        SettingKeys.Select(key => "IMAGECLUSTER_" + key.Replace(".", "__", StringComparison.Ordinal).ToUpperInvariant()).ToHashSet();

    /// <summary>What a program prints; null where it is not installed.</summary>
    public static (int ExitCode, string Output, string Errors)? Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Root };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, errors.Result);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;

    [GeneratedRegex(@"^\| `([A-Za-z.]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
