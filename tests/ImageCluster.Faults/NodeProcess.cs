using System.Diagnostics;
using System.Text.Json.Nodes;

namespace ImageCluster.Faults;

/// <summary>A node as a process of its own, which can be killed, frozen and started again with the same settings.</summary>
internal sealed class NodeProcess : IDisposable
{
    private readonly string _name;
    private readonly string _directory;
    private readonly string[] _commandLine;
    private readonly Func<IEnumerable<string>> _settings;
    private Process? _process;
    private int _starts;

    /// <param name="commandLine">The program and what stands before its settings.</param>
    /// <param name="settings">Asked at each start.</param>
    public NodeProcess(string name, string directory, string[] commandLine, Func<IEnumerable<string>> settings) =>
        (_name, _directory, _commandLine, _settings) = (name, directory, commandLine, settings);

    public string Name => _name;

    public Uri Url { get; private set; } = null!;

    public string ClusterAddress { get; private set; } = "";

    public bool IsRunning => _process is { HasExited: false };

    private string LogFile => Path.Join(_directory, $"{_name}.{_starts}.log");

    public async Task StartAsync()
    {
        _process?.Dispose();
        _process = null;
        _starts++;
        string addresses = Path.Join(_directory, $"{_name}.{_starts}.json");
        // The shell opens the log, so that nothing of the node's goes through this process.
        string[] words = [.. _commandLine, .. _settings(), "--addressFile", addresses];
        string line = string.Join(' ', words.Select(word => $"'{word}'"));
        _process = Process.Start("sh", ["-c", $"exec {line} >'{LogFile}' 2>&1"]);
        await Until.ItIsSo($"{_name} starts", TimeSpan.FromMinutes(3), () =>
            IsRunning ? Task.FromResult(File.Exists(addresses)) : throw new FaultException($"{_name} ended at its start: {Tail()}"));
        JsonNode found = JsonNode.Parse(await File.ReadAllTextAsync(addresses))!;
        ClusterAddress = found["cluster"]!.ToString();
        Url = new Uri(found["http"]![0]!.ToString());
    }

    public void Kill()
    {
        if (IsRunning)
        {
            _process!.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }
    }

    public void Freeze() => Shell.Run("kill", "-STOP", $"{_process!.Id}");

    public void Thaw() => Shell.Run("kill", "-CONT", $"{_process!.Id}");

    public string Tail() => File.Exists(LogFile) ? string.Join('\n', File.ReadLines(LogFile).TakeLast(15)) : "";

    public void Dispose()
    {
        Kill();
        _process?.Dispose();
    }
}
