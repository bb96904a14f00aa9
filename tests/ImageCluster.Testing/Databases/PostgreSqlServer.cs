using System.Diagnostics;
using ImageCluster.Testing.Storage;
using Xunit;

namespace ImageCluster.Testing.Databases;

/// <summary>A PostgreSQL of Debian's on a Unix socket in a directory of its own, with one database. Stopped and removed when disposed.</summary>
public sealed class PostgreSqlServer : IDisposable
{
    private const string User = "imagecluster";

    private readonly TempDirectory _directory = new();

    /// <exception cref="SkipException">It is not installed.</exception>
    public PostgreSqlServer()
    {
        try
        {
            Skip.If(Programs is null || !OperatingSystem.IsLinux(), "PostgreSQL is not installed (Debian: postgresql)");
            if (IsRoot)
            {
                // It refuses to run as root, and its own user must come to its files.
                Run("chmod", "711", _directory.Path);
                Run("install", "-d", "-o", "postgres", _directory["server"]);
            }
            else
            {
                Directory.CreateDirectory(_directory["server"]);
            }

            As("initdb", "-D", _directory["server/data"], "-A", "trust", "-U", User, "--no-sync");
            As("pg_ctl", "-D", _directory["server/data"], "-w", "-t", "120", "-l", _directory["server/log"], "-o", $"-c listen_addresses= -c fsync=off -c unix_socket_directories={_directory["server"]}", "start");
            As("createdb", "-h", _directory["server"], "-U", User, User);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>As Npgsql takes it.</summary>
    public string Connection => $"Host={_directory["server"]};Database={User};Username={User};GSS Encryption Mode=Disable";

    public void Dispose()
    {
        if (File.Exists(_directory["server/data/postmaster.pid"]))
        {
            As("pg_ctl", "-D", _directory["server/data"], "-m", "immediate", "-w", "stop");
        }

        _directory.Dispose();
    }

    private static bool IsRoot => Environment.UserName == "root";

    private static string? Programs { get; } = Directory.Exists("/usr/lib/postgresql")
        ? Directory.EnumerateFiles("/usr/lib/postgresql", "initdb", SearchOption.AllDirectories).Select(Path.GetDirectoryName).FirstOrDefault()
        : null;

    private void As(string program, params string[] arguments)
    {
        string[] command = [Path.Join(Programs, program), .. arguments];
        Run(IsRoot ? ["runuser", "-u", "postgres", "--", .. command] : command);
    }

    private void Run(params string[] command)
    {
        // The server keeps what it inherits open: a pipe would never end.
        string said = _directory["said"];
        string line = string.Join(' ', command.Select(word => $"'{word}'"));
        using Process process = Process.Start("sh", ["-c", $"cd / && {line} >'{said}' 2>&1 </dev/null"]);
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{line}: {File.ReadAllText(said)}");
        }
    }
}
