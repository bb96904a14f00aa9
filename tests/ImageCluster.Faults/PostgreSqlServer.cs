namespace ImageCluster.Faults;

/// <summary>A PostgreSQL of Debian's, for one run, which can be stopped at once and started again.</summary>
internal sealed class PostgreSqlServer : IDisposable
{
    // Of addresses of its own.
    private const int Port = 5432;

    private readonly string _directory;
    private readonly string _programs;
    private readonly string _host;

    /// <param name="directory">What it may make a directory of its own in.</param>
    /// <param name="host">The address that it listens at; it asks nobody for a password.</param>
    public PostgreSqlServer(string directory, string host)
    {
        _host = host;
        _directory = Path.Join(directory, "postgresql");
        _programs = Programs ?? throw new FaultException("PostgreSQL is not installed (Debian: postgresql)");
        Directory.CreateDirectory(_directory);
        // It refuses to run as root.
        Shell.Run("chmod", "711", directory);
        Shell.Run("chown", "postgres", _directory);
        As("initdb", "-D", $"{_directory}/data", "-A", "trust", "-U", "imagecluster");
        File.AppendAllText(Path.Join(_directory, "data", "pg_hba.conf"), "host all all 0.0.0.0/0 trust\n");
        Start();
        As("createdb", "-h", _host, "-p", $"{Port}", "-U", "imagecluster", "imagecluster");
    }

    public static string? Programs { get; } =
        Directory.Exists("/usr/lib/postgresql") ? Directory.EnumerateFiles("/usr/lib/postgresql", "initdb", SearchOption.AllDirectories).Select(Path.GetDirectoryName).FirstOrDefault() : null;

    public string Connection => $"Host={_host};Port={Port};Database=imagecluster;Username=imagecluster;Timeout=5";

    public void Start() =>
        As("pg_ctl", "-D", $"{_directory}/data", "-w", "-l", $"{_directory}/log", "-o", $"-p {Port} -c listen_addresses={_host} -c unix_socket_directories={_directory}", "start");

    /// <summary>As if it had crashed.</summary>
    public void Stop() => As("pg_ctl", "-D", $"{_directory}/data", "-m", "immediate", "-w", "stop");

    public void Dispose() => Shell.Try("runuser", "-u", "postgres", "--", $"{_programs}/pg_ctl", "-D", $"{_directory}/data", "-m", "immediate", "stop");

    // The server keeps what it inherits open; a log takes it.
    private void As(string program, params string[] arguments) =>
        Shell.Run("sh", "-c", $"cd / && runuser -u postgres -- {string.Join(' ', arguments.Prepend($"{_programs}/{program}").Select(word => $"'{word}'"))} >'{_directory}/{program}.out' 2>&1 || {{ cat '{_directory}/{program}.out'; exit 1; }}");
}
