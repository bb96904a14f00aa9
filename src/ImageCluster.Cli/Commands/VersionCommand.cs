using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Formats;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster version</c>: what this is and what it knows, for reports of errors.</summary>
internal static class VersionCommand
{
    public static Command Create(CliHost host)
    {
        var command = new Command("version", "Show the version and the formats that it reads and writes.");
        command.SetAction(_ =>
        {
            host.Out.WriteLine($"imagecluster {Version}");
            host.Out.WriteLine($"reads:  {string.Join(' ', FormatRegistry.All.Select(format => format.Name).Order(StringComparer.Ordinal))}");
            host.Out.WriteLine($"writes: {string.Join(' ', FormatRegistry.All.Where(format => format.CanCreate).Select(format => format.Name).Order(StringComparer.Ordinal))}");
            host.Out.WriteLine($"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}");
            return ExitCode.Done;
        });
        return command;
    }

    public static string Version { get; } =
        typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";
}
