using System.Data.Common;
using ImageCluster.Node.Configuration;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace ImageCluster.Node.Health;

/// <summary>The journal's database answers.</summary>
internal sealed class JournalCheck(JournalOptions journal) : IHealthCheck
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            await using DbConnection connection = journal.IsPostgreSql
                ? new NpgsqlConnection(journal.ConnectionString)
                : new SqliteConnection(journal.ConnectionString);
            await connection.OpenAsync(patience.Token);
            await using DbCommand command = connection.CreateCommand();
            // SQLite does not open its file before it is asked for something that stands there.
            command.CommandText = journal.IsPostgreSql ? "SELECT 1" : "SELECT count(*) FROM sqlite_schema";
            await command.ExecuteScalarAsync(patience.Token);
            return HealthCheckResult.Healthy("answers");
        }
        catch (Exception e) when (e is DbException or OperationCanceledException or InvalidOperationException or TimeoutException)
        {
            // What exactly is for the log: this page may be open to everybody.
            return HealthCheckResult.Unhealthy("does not answer", e);
        }
    }
}
