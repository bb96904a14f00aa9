using System.Diagnostics;
using System.Net.Sockets;
using ImageCluster.Testing.Storage;
using Xunit;

namespace ImageCluster.Testing.Nbd;

/// <summary>A real NBD server on a Unix socket in a directory of its own: nbdkit or qemu-nbd. Killed when disposed.</summary>
public sealed class NbdServer : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TempDirectory _directory;
    private readonly string _program;
    private readonly string[] _arguments;
    private Process? _process;

    private NbdServer(string program, TempDirectory directory, string[] arguments, string? socket = null)
    {
        SocketPath = socket ?? directory["nbd.sock"];
        (_program, _directory, _arguments) = (program, directory, arguments);
        try
        {
            Skip.IfNot(File.Exists($"/usr/bin/{program}"), $"{program} is not installed");
            Start();
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>The socket's path.</summary>
    public string SocketPath { get; }

    /// <summary>The name of the default export.</summary>
    public string Url => $"nbd+unix://?socket={SocketPath}";

    /// <summary>nbdkit with these arguments: options, plugin, parameters. What they call LOG is <see cref="Log"/>'s file.</summary>
    public static NbdServer Kit(params string[] arguments)
    {
        TempDirectory directory = new();
        return new NbdServer("nbdkit", directory,
        [
            "-f", "-U", directory["nbd.sock"],
            .. arguments.Select(a => a.Replace("LOG", directory["log"], StringComparison.Ordinal)),
        ]);
    }

    /// <summary>nbdkit listening on a socket of that path, with every file of a directory as an export that can be written.</summary>
    public static NbdServer Files(string socket, string directory) =>
        new("nbdkit", new TempDirectory(), ["-f", "-U", socket, "file", "dir=" + directory], socket);

    /// <summary>qemu-nbd serving an image.</summary>
    public static NbdServer Qemu(string image, string format, params string[] flags)
    {
        TempDirectory directory = new();
        return new NbdServer("qemu-nbd", directory,
            [.. flags, "--persistent", "-f", format, "--socket", directory["nbd.sock"], image]);
    }

    /// <summary>The lines of nbdkit's log filter so far.</summary>
    public string[] Log() => File.Exists(_directory["log"]) ? File.ReadAllLines(_directory["log"]) : [];

    /// <summary>Of the requests whose log lines start with <paramref name="what"/> ("Read"), how many were under way at once at the most.</summary>
    public int MostUnderWay(string what)
    {
        int now = 0;
        int most = 0;
        foreach (string line in Log())
        {
            now += line.Contains($" {what} id=", StringComparison.Ordinal) ? 1 : 0;
            now -= line.Contains($" ...{what} id=", StringComparison.Ordinal) ? 1 : 0;
            most = Math.Max(most, now);
        }

        return most;
    }

    /// <summary>Ends it at once, as a crash does.</summary>
    public void Kill()
    {
        if (_process is not null)
        {
            try
            {
                _process.Kill();
                _process.WaitForExit();
            }
            catch (InvalidOperationException)
            {
                // It ended by itself.
            }

            _process.Dispose();
            _process = null;
        }

        if (File.Exists(SocketPath))
        {
            File.Delete(SocketPath);
        }
    }

    /// <summary>Starts it again after <see cref="Kill"/>, with the same arguments.</summary>
    public void Start()
    {
        // nbdkit ends with the thread that started it, and threads of tests that wait come and go.
        using var started = new ManualResetEventSlim();
        new Thread(() =>
        {
            Process process = Process.Start(new ProcessStartInfo(Path.Combine("/usr/bin", _program), _arguments) { RedirectStandardInput = true, RedirectStandardError = true })!;
            _process = process;
            started.Set();
            WaitForEnd(process);
        })
        { IsBackground = true }.Start();
        started.Wait();

        // It complains of clients that go away, and of every error that it was asked to make.
        _process!.BeginErrorReadLine();
        if (!SpinWait.SpinUntil(() => _process.HasExited || Listens(), Patience) || _process.HasExited)
        {
            Kill();
            throw new InvalidOperationException($"{_program} {string.Join(' ', _arguments)} did not start");
        }
    }

    public void Dispose()
    {
        Kill();
        _directory.Dispose();
    }

    private static void WaitForEnd(Process process)
    {
        try
        {
            process.WaitForExit();
        }
        catch (InvalidOperationException)
        {
            // It is disposed.
        }
    }

    private bool Listens()
    {
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(SocketPath));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
