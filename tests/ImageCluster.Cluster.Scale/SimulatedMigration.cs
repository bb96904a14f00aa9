using System.Diagnostics;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Migrations;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Running;
using Microsoft.Data.Sqlite;

namespace ImageCluster.Cluster.Scale;

/// <summary>One migration of images that are not there, from its submission to its end: gathered, planned, every image converted in shards.</summary>
internal sealed class SimulatedMigration(int images, int shards, int atATime, int workers, TimeSpan shardTime) : IShardRunner
{
    // Run first, so that a cluster that is just starting is not what is measured: images enough for all partitions of the records.
    private const string WarmUp = "warm-up";
    private const int WarmUpImages = 300;

    private readonly SimulatedRunner _warmUp = new() { Shards = 4, KeepsDone = false };

    private readonly SimulatedRunner _runner = new() { Shards = shards, KeepsDone = false, ShardTime = shardTime };

    public async Task<MigrationCost> RunAsync()
    {
        await using SimulatedCluster cluster = await SimulatedCluster.StartAsync();
        cluster.AddWorkers(workers, this);
        await RunAsync(cluster, WarmUp);
        long bytesBefore = Count(cluster.Journal, "sum(length(message))");
        long fileBefore = FileLength(cluster.Journal);
        long before = Count(cluster.Journal, "count(*)");
        var watch = Stopwatch.StartNew();
        TimeSpan used = Environment.CpuUsage.TotalTime;
        MigrationDescription end = await RunAsync(cluster, "scale");
        TimeSpan time = watch.Elapsed;
        if (end.Overview.Numbers.Succeeded != images)
        {
            throw new InvalidOperationException($"{end.Overview.Numbers.Succeeded} of {images} images succeeded: {end.Overview.State}");
        }

        using var process = Process.GetCurrentProcess();
        long file = FileLength(cluster.Journal) - fileBefore;
        return new MigrationCost((long)images * shards, time, Environment.CpuUsage.TotalTime - used, process.PeakWorkingSet64, file,
            Count(cluster.Journal, "count(*)") - before, Count(cluster.Journal, "sum(length(message))") - bytesBefore);
    }

    private async Task<MigrationDescription> RunAsync(SimulatedCluster cluster, string id)
    {
        string manifest = $$"""
            version: 1
            name: {{id}}
            sources: [ { root: kvm, include: ['*'] } ]
            target: { root: kvm, format: qcow2 }
            verify: none
            parallel: { images: {{(id == WarmUp ? 16 : atATime)}} }
            """;
        await SimulatedCluster.AskAsync<MigrationDone>(cluster.Migrations, new SubmitMigration(id, default, id, manifest, "scale"));
        while (true)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50));
            MigrationDescription seen = await SimulatedCluster.AskAsync<MigrationDescription>(cluster.Migrations, new DescribeMigration(id));
            if (seen.Overview.HasEnded)
            {
                return seen;
            }
        }
    }

    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        if (task.Stage != StageKind.Gather)
        {
            return (task.JobId.StartsWith(WarmUp, StringComparison.Ordinal) ? _warmUp : _runner).Run(task, shard, scope);
        }

        string id = ((GatherSpec)task.Spec).Migration;
        int all = id == WarmUp ? WarmUpImages : images;
        for (int from = 0; from < all; from += GatheredPart.MaxImages)
        {
            int count = Math.Min(GatheredPart.MaxImages, all - from);
            scope.TellImages(new GatheredPart(from, [.. Enumerable.Range(from, count).Select(index => Image(id, index))], from + count == all, []));
        }

        return new ShardResult { Shard = shard };
    }

    private MigratedImage Image(string id, int index) => new()
    {
        Index = index,
        Source = new ImageName("kvm", $"{id}/datastore1/machine-{index}/machine-{index}.vmdk"),
        SourceFormat = "vmdk",
        Target = new ImageName("kvm", $"{id}/pool/machine-{index}.qcow2"),
        VirtualSize = shards * SimulatedRunner.ShardLength,
        AllocatedBytes = shards * SimulatedRunner.ShardLength / 2,
        EstimatedBytes = shards * SimulatedRunner.ShardLength / 2,
    };

    private static long FileLength(string journal) => new FileInfo(journal).Length + new FileInfo(journal + "-wal").Length;

    private static long Count(string journal, string what)
    {
        using var connection = new SqliteConnection($"Data Source={journal}");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = $"select {what} from journal";
        return (long)command.ExecuteScalar()!;
    }
}
