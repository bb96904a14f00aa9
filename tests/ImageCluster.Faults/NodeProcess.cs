using System.Diagnostics;

namespace ImageCluster.Faults;

/// <summary>
/// A node as a process of its own, under a supervisor as systemd is one: where it ends by itself it is started again, with the same settings. It can be
/// killed, and then stays so until it is started, and frozen.
/// </summary>
internal sealed class NodeProcess(string name, string directory, Func<IReadOnlyList<string>> commandLine, Uri url) : IDisposable
{
    /// <summary>What a node ends itself with that the others gave up.</summary>
    private const int GivenUp = 255;

    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan RestartAfter = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private Process? _process;
    private bool _isWanted;
    private int _starts;

    public string Name => name;

    public Uri Url => url;

    public bool IsRunning
    {
        get
        {
            lock (_lock)
            {
                return _process is { HasExited: false };
            }
        }
    }

    public bool IsFrozen { get; private set; }

    /// <summary>How often it ended itself because the others had given it up.</summary>
    public int TimesGivenUp { get; private set; }

    /// <summary>What it ended with otherwise, by itself; empty where it never did.</summary>
    public List<string> WrongEnds { get; } = [];

    private string LogFile => Path.Join(directory, $"{name}.{_starts}.log");

    private string AddressFile => Path.Join(directory, $"{name}.{_starts}.json");

    /// <summary>Returns when it is a member of a cluster that is up.</summary>
    public async Task StartAsync()
    {
        Begin();
        await Until.ItIsSo($"{name} starts", StartPatience, () => Task.FromResult(File.Exists(AddressFile)));
    }

    /// <summary>Starts it without waiting for what becomes of it.</summary>
    public void Begin()
    {
        lock (_lock)
        {
            _process?.Dispose();
            _isWanted = true;
            _starts++;
            // The shell opens the log, so that nothing of the node's goes through this process.
            string line = string.Join(' ', commandLine().Append("--addressFile").Append(AddressFile).Select(word => $"'{word}'"));
            _process = Process.Start("sh", ["-c", $"exec {line} >'{LogFile}' 2>&1"]);
            _ = SuperviseAsync(_process);
        }
    }

    public void Kill()
    {
        lock (_lock)
        {
            _isWanted = false;
            IsFrozen = false;
            if (IsRunning)
            {
                _process!.Kill(entireProcessTree: true);
                _process.WaitForExit();
            }
        }
    }

    public void Freeze()
    {
        IsFrozen = true;
        Shell.Run("kill", "-STOP", $"{_process!.Id}");
    }

    public void Thaw()
    {
        Shell.Run("kill", "-CONT", $"{_process!.Id}");
        IsFrozen = false;
    }

    public string Tail() => File.Exists(LogFile) ? string.Join('\n', File.ReadLines(LogFile).TakeLast(15)) : "";

    public void Dispose()
    {
        Kill();
        _process?.Dispose();
    }

    private async Task SuperviseAsync(Process process)
    {
        await process.WaitForExitAsync();
        lock (_lock)
        {
            if (!_isWanted || process != _process)
            {
                return;
            }

            if (process.ExitCode == GivenUp)
            {
                TimesGivenUp++;
            }
            else
            {
                WrongEnds.Add($"{name} ended by itself with exit code {process.ExitCode}: {Tail()}");
            }
        }

        await Task.Delay(RestartAfter);
        lock (_lock)
        {
            if (_isWanted && process == _process)
            {
                Begin();
            }
        }
    }
}
