using System.Diagnostics;
using System.Text.Json.Nodes;
using ImageCluster.Cli.Remote;

namespace ImageCluster.Cli.Demonstrating;

/// <summary>A node of the demo's cluster: a process of its own, on ports that the system chose, with its log in a file.</summary>
internal sealed class DemoNode : IDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan StopPatience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private readonly Process _process;
    private readonly StreamWriter _log;
    private readonly string _addressFile;

    private DemoNode(int number, Process process, string logFile, string addressFile)
    {
        (Number, _process, LogFile, _addressFile) = (number, process, logFile, addressFile);
        _log = File.CreateText(logFile);
        process.OutputDataReceived += (_, line) => Write(line.Data);
        process.ErrorDataReceived += (_, line) => Write(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public int Number { get; }

    public int ProcessId => _process.Id;

    public string LogFile { get; }

    /// <summary>What other nodes join by, <c>host:port</c>; empty until it has started.</summary>
    public string ClusterAddress { get; private set; } = "";

    /// <summary>Of its API; null until it has started.</summary>
    public Uri? Url { get; private set; }

    /// <param name="program">The server's.</param>
    /// <param name="number">From 1.</param>
    /// <param name="directory">Where its log goes.</param>
    /// <param name="settings">Its arguments.</param>
    public static DemoNode Start(NodeProgram program, int number, string directory, IEnumerable<string> settings)
    {
        string addressFile = Path.Join(directory, $"node{number}.json");
        (string fileName, IReadOnlyList<string> arguments) = program.CommandLine([.. settings, "--addressFile", addressFile]);
        var start = new ProcessStartInfo(fileName, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        return new DemoNode(number, Process.Start(start)!, Path.Join(directory, $"node{number}.log"), addressFile);
    }

    /// <summary>Waits until it says where it is.</summary>
    public async Task WaitAsync(CancellationToken stop)
    {
        var passed = Stopwatch.StartNew();
        while (!File.Exists(_addressFile))
        {
            if (_process.HasExited || passed.Elapsed > StartPatience)
            {
                throw new CliException(ExitCode.Internal, $"node {Number} did not start", $"its log is {LogFile}");
            }

            await Task.Delay(Look, stop);
        }

        JsonNode addresses = JsonNode.Parse(await File.ReadAllTextAsync(_addressFile, stop))!;
        ClusterAddress = addresses["cluster"]!.ToString();
        Url = new Uri(addresses["http"]![0]!.ToString());
    }

    /// <summary>As a power cut would: nothing is handed over, nobody is told.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <summary>Asks it to leave the cluster and end.</summary>
    public async Task StopAsync()
    {
        if (_process.HasExited)
        {
            return;
        }

        using (Process kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]))
        {
            await kill.WaitForExitAsync();
        }

        using var patience = new CancellationTokenSource(StopPatience);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            Kill();
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
        lock (_log)
        {
            _log.Dispose();
        }
    }

    private void Write(string? line)
    {
        lock (_log)
        {
            if (line is not null && _log.BaseStream.CanWrite)
            {
                _log.WriteLine(line);
                _log.Flush();
            }
        }
    }
}
