using Microsoft.Data.Sqlite;

namespace ImageCluster.Node.Hosting;

/// <summary>Prepares the file of SQLite.</summary>
internal static class SqliteJournal
{
    /// <summary>
    /// Writes ahead to a log, which is kept in the file: readers then never wait for writers, and several processes of one machine can share it.
    /// </summary>
    public static void Prepare(string connectionString)
    {
        using SqliteConnection connection = new(connectionString);
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "PRAGMA journal_mode=WAL";
        command.ExecuteScalar();
    }
}
