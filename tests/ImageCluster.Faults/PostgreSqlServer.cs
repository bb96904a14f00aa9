using System.Net;
using System.Net.Sockets;

namespace ImageCluster.Faults;

/// <summary>A PostgreSQL of Debian's, for one run, which can be stopped at once and started again.</summary>
internal sealed class PostgreSqlServer : IDisposable
{
    private readonly string _directory;
    private readonly string _programs;
    private readonly int _port;

    public PostgreSqlServer(string directory)
    {
        _directory = Path.Join(directory, "postgresql");
        _programs = Programs ?? throw new FaultException("PostgreSQL is not installed (Debian: postgresql)");
        using (var listener = new TcpListener(IPAddress.Loopback, 0))
        {
            listener.Start();
            _port = ((IPEndPoint)listener.LocalEndpoint).Port;
        }

        Directory.CreateDirectory(_directory);
        // It refuses to run as root.
        Shell.Run("chmod", "711", directory);
        Shell.Run("chown", "postgres", _directory);
        As("initdb", "-D", $"{_directory}/data", "-A", "trust", "-U", "imagecluster");
        Start();
        As("createdb", "-h", "127.0.0.1", "-p", $"{_port}", "-U", "imagecluster", "imagecluster");
    }

    public static string? Programs { get; } =
        Directory.Exists("/usr/lib/postgresql") ? Directory.EnumerateFiles("/usr/lib/postgresql", "initdb", SearchOption.AllDirectories).Select(Path.GetDirectoryName).FirstOrDefault() : null;

    public string Connection => $"Host=127.0.0.1;Port={_port};Database=imagecluster;Username=imagecluster;Timeout=5";

    public void Start() =>
        As("pg_ctl", "-D", $"{_directory}/data", "-w", "-l", $"{_directory}/log", "-o", $"-p {_port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={_directory}", "start");

    /// <summary>As if it had crashed.</summary>
    public void Stop() => As("pg_ctl", "-D", $"{_directory}/data", "-m", "immediate", "-w", "stop");

    public void Dispose() => Shell.Try("runuser", "-u", "postgres", "--", $"{_programs}/pg_ctl", "-D", $"{_directory}/data", "-m", "immediate", "stop");

    // The server keeps what it inherits open; a log takes it.
    private void As(string program, params string[] arguments) =>
        Shell.Run("sh", "-c", $"cd / && runuser -u postgres -- {string.Join(' ', arguments.Prepend($"{_programs}/{program}").Select(word => $"'{word}'"))} >'{_directory}/{program}.out' 2>&1 || {{ cat '{_directory}/{program}.out'; exit 1; }}");
}
