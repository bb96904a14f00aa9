using System.Data.Common;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Migrations;
using ImageCluster.Testing.Databases;
using ImageCluster.Testing.Storage;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace ImageCluster.Cluster.Tests.Directories;

/// <summary>What was over long ago leaves the directory and the journal; what is not, and what images know, stays.</summary>
public sealed class ForgettingTests : IDisposable
{
    private static readonly ImageClusterSettings Keeping = TestNode.Fast with { Retention = null };
    private static readonly ImageClusterSettings Forgetting = TestNode.Fast with { Retention = TimeSpan.FromMilliseconds(1), ForgetEvery = TimeSpan.FromMilliseconds(300) };
    private static readonly ListPart All = new("", 0, 100);
    private readonly TempDirectory _directory = new();
    private readonly SimulatedRunner _runner = new() { Shards = 3 };
    private string _journal;
    private PostgreSqlServer? _server;

    public ForgettingTests() => _journal = _directory["journal.db"];

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        NpgsqlConnection.ClearAllPools();
        _server?.Dispose();
        _directory.Dispose();
    }

    [SkippableTheory]
    [InlineData("SQLite")]
    [InlineData("PostgreSQL")]
    public async Task Ended_jobs_and_migrations_are_deleted_and_their_ids_are_not_used_again(string journal)
    {
        if (journal == "PostgreSQL")
        {
            _server = new PostgreSqlServer();
            _journal = _server.Connection;
        }

        ImageName zero = new("kvm", "0.qcow2");
        await using (TestNode first = await StartAsync(Keeping))
        {
            SimulatedMigration.GatherOn(first, SimulatedMigration.Images(2));
            // Stands first in the directory's journal and is not over.
            await first.SubmitAsync("paused", Convert("p", "q"));
            await TestNode.AskAsync<JobDone>(first.Jobs, new PauseJob("paused", default, "ann"));
            await first.SubmitAsync("j", Convert("a", "b"));
            await first.JobEndAsync("j");
            await first.SubmitMigrationAsync("m", SimulatedMigration.Manifest);
            await first.MigrationAsync("m", migration => migration.Overview.HasEnded);
            await ListedAsync(first, "j paused", "m", job => job.HasEnded || job.JobId == "paused");
            await first.KillAsync();
        }

        Assert.True(Rows("job-m.1.1") > 1, "what is looked for would be found");
        await using (TestNode second = await StartAsync(Forgetting))
        {
            await ListedAsync(second, "paused", "", _ => true);
            await UnknownAsync(second);
            // What stands on what is the images' to know.
            Assert.Equal([new ImageName("kvm", "1.qcow2")], (await TestNode.AskAsync<ImageDescription>(second.Images, new DescribeImage(zero))).Dependents);
            // Only where the numbers of each go on is left, and in the directory what is not over.
            foreach (string id in new[] { "job-j", "job-m.gather", "job-m.0.1", "job-m.1.1", "migration-m" })
            {
                Assert.Equal(0, Rows(id));
            }

            await TestNode.UntilAsync(() => Task.FromResult(Rows("directory")), rows => rows == 1, rows => $"{rows} rows");
            await second.KillAsync();
        }

        await using TestNode third = await StartAsync(Forgetting);
        await ListedAsync(third, "paused", "", _ => true);
        await UnknownAsync(third);
        Assert.Contains("forgotten", (await TestNode.AskAsync<JobRefused>(third.Jobs, new SubmitJob("j", default, Convert("a", "b"), JobSettings.Default))).Refusal.Message, StringComparison.Ordinal);
        Refusal again = (await TestNode.AskAsync<MigrationRefused>(third.Migrations, new SubmitMigration("m", default, "west", SimulatedMigration.Manifest, "ann"))).Refusal;
        Assert.Equal(RefusalKind.Conflict, again.Kind);
        await TestNode.AskAsync<JobDone>(third.Jobs, new ResumeJob("paused", default, "ann"));
        // Over at last, it follows.
        await ListedAsync(third, "", "", _ => true);
    }

    [Fact]
    public async Task What_is_not_over_or_has_not_been_for_long_is_kept()
    {
        await using TestNode node = await StartAsync(Keeping);
        await node.SubmitAsync("paused", Convert("p", "q"));
        await TestNode.AskAsync<JobDone>(node.Jobs, new PauseJob("paused", default, "ann"));
        await node.SubmitAsync("j", Convert("a", "b"));
        Instant end = (await node.JobEndAsync("j")).Summary.EndedAt!.Value;
        Assert.Equal(RefusalKind.Conflict, (await TestNode.AskAsync<JobRefused>(node.Jobs, new ForgetJob("paused", end + TimeSpan.FromDays(1)))).Refusal.Kind);
        Assert.Equal(RefusalKind.Conflict, (await TestNode.AskAsync<JobRefused>(node.Jobs, new ForgetJob("j", end))).Refusal.Kind);
        await TestNode.AskAsync<JobForgotten>(node.Jobs, new ForgetJob("none", end));
        await TestNode.AskAsync<JobDescription>(node.Jobs, new DescribeJob("j"));
        // Who never was is no one forgotten.
        await node.SubmitAsync("none", Convert("a", "b2"));
        await TestNode.AskAsync<JobForgotten>(node.Jobs, new ForgetJob("j", end + TimeSpan.FromMilliseconds(1)));
        await TestNode.AskAsync<JobRefused>(node.Jobs, new DescribeJob("j"));
    }

    private static ConvertSpec Convert(string source, string target) =>
        new() { Source = new ImageName("kvm", source), Target = new ImageName("kvm", target), TargetFormat = "qcow2", Verify = VerifyMode.None };

    private static async Task ListedAsync(TestNode node, string jobs, string migrations, Func<JobSummary, bool> isSo) => await TestNode.UntilAsync(
        async () =>
        {
            JobPage known = await TestNode.AskAsync<JobPage>(node.Directory, new ListJobs(All, ""));
            MigrationPage page = await TestNode.AskAsync<MigrationPage>(node.Directory, new ListMigrations(All));
            JobSummary[] single = [.. known.Jobs.Where(job => job.Migration.Length == 0).OrderBy(job => job.JobId, StringComparer.Ordinal)];
            return (Jobs: string.Join(' ', single.Select(job => job.JobId)), Migrations: string.Join(' ', page.Migrations.Select(migration => migration.MigrationId)), So: single.All(isSo));
        },
        listed => listed == (jobs, migrations, true),
        listed => listed.ToString());

    private static async Task UnknownAsync(TestNode node)
    {
        foreach (string id in new[] { "j", "m.gather", "m.0.1", "m.1.1" })
        {
            Assert.Equal(RefusalKind.Unknown, (await TestNode.AskAsync<JobRefused>(node.Jobs, new DescribeJob(id))).Refusal.Kind);
        }

        Assert.Equal(RefusalKind.Unknown, (await TestNode.AskAsync<MigrationRefused>(node.Migrations, new DescribeMigration("m"))).Refusal.Kind);
    }

    // Events that would be read.
    private long Rows(string persistenceId)
    {
        using DbConnection connection = TestNode.IsPostgreSql(_journal) ? new NpgsqlConnection(_journal) : new SqliteConnection($"Data Source={_journal}");
        connection.Open();
        using DbCommand command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM journal WHERE persistence_id = @id AND NOT deleted";
        DbParameter id = command.CreateParameter();
        (id.ParameterName, id.Value) = ("@id", persistenceId);
        command.Parameters.Add(id);
        return (long)command.ExecuteScalar()!;
    }

    private Task<TestNode> StartAsync(ImageClusterSettings settings) =>
        TestNode.StartAsync(_journal, roots: SimulatedMigration.Roots, runner: _runner, settings: settings);
}
