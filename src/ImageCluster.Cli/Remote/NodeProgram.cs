using System.Diagnostics;
using System.Runtime.InteropServices;
using ImageCluster.Cli.Native;

namespace ImageCluster.Cli.Remote;

/// <summary>The server's program, which is built apart from this one.</summary>
/// <param name="path">Of <c>imagecluster-node.dll</c>.</param>
internal sealed class NodeProgram(string path)
{
    /// <summary>Names the directory of the program where it is nowhere usual.</summary>
    public const string Variable = "IMAGECLUSTER_NODE";

    private const string File = "imagecluster-node.dll";

    public string Path { get; } = path;

    /// <summary>Beside this program, or where a clone's script and the container images have it; null where there is none.</summary>
    public static NodeProgram? Find(string baseDirectory, Func<string, string?> variable)
    {
        string[] places = variable(Variable) is { Length: > 0 } named
            ? [named]
            : [baseDirectory, System.IO.Path.Join(baseDirectory, "..", "node"), System.IO.Path.Join(baseDirectory, "node")];
        return places.Select(place => System.IO.Path.GetFullPath(System.IO.Path.Join(place, File))).FirstOrDefault(System.IO.File.Exists) is { } found ? new NodeProgram(found) : null;
    }

    /// <summary>The run-time and its arguments.</summary>
    public (string FileName, IReadOnlyList<string> Arguments) CommandLine(IEnumerable<string> arguments) => (RunTime, [Path, .. arguments]);

    /// <summary>Takes this process's place, so that whoever supervises it (systemd, a shell) has the node itself; elsewhere than on Unix it waits for it.</summary>
    public int Become(string[] arguments)
    {
        (string fileName, IReadOnlyList<string> all) = CommandLine(arguments);
        if (!OperatingSystem.IsWindows())
        {
            LibC.ExecVP(fileName, [fileName, .. all, null]);
            throw CliException.Refused($"{fileName} cannot be started: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        using Process process = Process.Start(fileName, all);
        process.WaitForExit();
        return process.ExitCode;
    }

    private static string RunTime => Environment.ProcessPath is { } own && System.IO.Path.GetFileNameWithoutExtension(own) == "dotnet" ? own : "dotnet";
}
