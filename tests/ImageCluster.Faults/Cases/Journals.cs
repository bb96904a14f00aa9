using Microsoft.Data.Sqlite;

namespace ImageCluster.Faults.Cases;

/// <summary>A journal that cannot be written to for a while: nothing is acknowledged, and when it is back everything goes on by itself.</summary>
internal static class Journals
{
    public static IEnumerable<FaultCase> All =>
    [
        new("journal-down", "postgresql", PostgreSqlDown),
        new("journal-locked", null, SqliteLocked),
        new("journal-full", "root", SqliteFull),
    ];

    private static async Task PostgreSqlDown(FaultCluster cluster, Random random)
    {
        await using Chatter chatter = await Losses.BeginAsync(cluster, random, postgreSql: true);
        await Task.Delay(random.Next(5000));
        cluster.Database.Stop();
        await MustNotAcknowledgeAsync(chatter, TimeSpan.FromMilliseconds(random.Next(5000, 45_000)));
        cluster.Database.Start();
        await Losses.EndAsync(cluster, chatter);
    }

    // Longer than a statement of SQLite's waits.
    private static async Task SqliteLocked(FaultCluster cluster, Random random)
    {
        await using Chatter chatter = await Losses.BeginAsync(cluster, random);
        await Task.Delay(random.Next(5000));
        using (var connection = new SqliteConnection($"Data Source={Path.Join(cluster.JournalDirectory, "journal.db")};Pooling=False"))
        {
            connection.Open();
            using SqliteCommand command = connection.CreateCommand();
            command.CommandText = "BEGIN IMMEDIATE";
            command.ExecuteNonQuery();
            await MustNotAcknowledgeAsync(chatter, TimeSpan.FromMilliseconds(random.Next(5000, 60_000)));
            command.CommandText = "ROLLBACK";
            command.ExecuteNonQuery();
        }

        await Losses.EndAsync(cluster, chatter);
    }

    private static async Task SqliteFull(FaultCluster cluster, Random random)
    {
        Shell.Run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", cluster.JournalDirectory);
        await using Chatter chatter = await Losses.BeginAsync(cluster, random);
        await Task.Delay(random.Next(5000));
        string other = Path.Join(cluster.JournalDirectory, "somebody-elses");
        Shell.Try("dd", "if=/dev/zero", $"of={other}", "bs=64k");
        Shell.Try("sh", "-c", $"yes >>'{other}'");
        // What the log has in store it still takes.
        await Task.Delay(random.Next(5000, 40_000));
        File.Delete(other);
        await Losses.EndAsync(cluster, chatter);
    }

    private static async Task MustNotAcknowledgeAsync(Chatter chatter, TimeSpan time)
    {
        await Task.Delay(1000);
        int before = chatter.Acknowledged;
        await Task.Delay(time);
        if (chatter.Acknowledged > before)
        {
            throw new FaultException($"{chatter.Acknowledged - before} commands were acknowledged while the journal was down");
        }
    }
}
