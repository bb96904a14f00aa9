using System.Data.Common;
using LinqToDB;
using Microsoft.Data.Sqlite;

namespace ImageCluster.Node.Hosting;

/// <summary>Prepares the file of SQLite, and the connections to it.</summary>
internal static class SqliteJournal
{
    // SQLite's own waiting looks again after a millisecond or a few. Without it the client does, every 150 ms: a record whose journal is read would hold
    // up all that is stored for so long, and be held up by it.
    private const string WaitForOthers = "PRAGMA busy_timeout=30000";

    /// <summary>
    /// Writes ahead to a log, which is kept in the file: readers then never wait for writers, and several processes of one machine can share it.
    /// </summary>
    /// <exception cref="IOException">It cannot be opened, or is something else.</exception>
    public static void Prepare(string connectionString)
    {
        using SqliteConnection connection = new(connectionString);
        try
        {
            connection.Open();
            Run(connection, "PRAGMA journal_mode=WAL");
        }
        catch (SqliteException e)
        {
            throw new IOException($"the journal {connection.DataSource} cannot be used: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    /// <summary>How it is opened. What is stored is on the disk when it is answered: SQLite's setting for that (synchronous) stays at FULL.</summary>
    public static DataOptions Options(string connectionString) => new DataOptions()
        .UseConnectionString(ProviderName.SQLiteMS, connectionString)
        .UseAfterConnectionOpened(Opened, (connection, _) =>
        {
            Opened(connection);
            return Task.CompletedTask;
        });

    private static void Opened(DbConnection connection) => Run(connection, WaitForOthers);

    private static void Run(DbConnection connection, string text)
    {
        using DbCommand command = connection.CreateCommand();
        command.CommandText = text;
        command.ExecuteScalar();
    }
}
