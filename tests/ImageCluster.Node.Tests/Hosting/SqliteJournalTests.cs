using ImageCluster.Node.Hosting;
using LinqToDB.Data;
using Microsoft.Data.Sqlite;

namespace ImageCluster.Node.Tests.Hosting;

public sealed class SqliteJournalTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("imagecluster-journal-").FullName;

    [Fact]
    public async Task Every_connection_waits_for_others_by_sqlites_own_means_and_stores_for_good()
    {
        string connectionString = new SqliteConnectionStringBuilder { DataSource = Path.Join(_directory, "journal.db") }.ToString();
        SqliteJournal.Prepare(connectionString);
        // From the pool, too.
        for (int i = 0; i < 3; i++)
        {
            await using var connection = new DataConnection(SqliteJournal.Options(connectionString));
            Assert.Equal(30_000, await connection.ExecuteAsync<long>("PRAGMA busy_timeout"));
            Assert.Equal("wal", await connection.ExecuteAsync<string>("PRAGMA journal_mode"));
            // FULL: what is committed survives the loss of power.
            Assert.Equal(2, await connection.ExecuteAsync<long>("PRAGMA synchronous"));
        }
    }

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(_directory, recursive: true);
    }
}
