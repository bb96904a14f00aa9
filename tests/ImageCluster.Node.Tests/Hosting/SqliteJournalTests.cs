using ImageCluster.Node.Configuration;
using ImageCluster.Node.Health;
using ImageCluster.Node.Hosting;
using LinqToDB.Data;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Diagnostics.HealthChecks;

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

    [Theory]
    [InlineData("", "unable to open database file")]
    [InlineData("text", "file is not a database")]
    public void A_file_that_cannot_be_one_is_named(string name, string problem)
    {
        string file = Path.Join(_directory, name);
        if (name.Length > 0)
        {
            File.WriteAllText(file, new string('x', 5000));
        }

        string message = Assert.Throws<IOException>(() => SqliteJournal.Prepare(new SqliteConnectionStringBuilder { DataSource = file }.ToString())).Message;
        Assert.StartsWith($"the journal {file} cannot be used: ", message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_node_is_not_ready_where_the_file_is_none_of_sqlite(bool isOne)
    {
        string file = Path.Join(_directory, "journal.db");
        string connectionString = new SqliteConnectionStringBuilder { DataSource = file }.ToString();
        if (isOne)
        {
            SqliteJournal.Prepare(connectionString);
        }
        else
        {
            File.WriteAllText(file, new string('x', 5000));
        }

        var options = new NodeOptions
        {
            Roles = ["coordinator"],
            Cluster = new NodeAddress("127.0.0.1", "127.0.0.1", 0),
            Journal = new JournalOptions(false, connectionString, true),
            HttpListen = [new Uri("http://127.0.0.1:0")],
        };
        Assert.Equal(isOne ? HealthStatus.Healthy : HealthStatus.Unhealthy, (await new JournalCheck(options.Journal!).CheckHealthAsync(new HealthCheckContext())).Status);
    }

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(_directory, recursive: true);
    }
}
