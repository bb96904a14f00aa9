using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Akka.Actor;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Cluster.Working;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Migrations;
using Microsoft.Data.Sqlite;

namespace ImageCluster.Cluster.Scale;

/// <summary>One migration of many images through one coordinator. Coordinator and workers share this process; the payload is simulated.</summary>
internal sealed class ScaleRun(int images, int shards, int atATime, int workers, TimeSpan shardTime)
{
    private static readonly Dictionary<string, string> Roots = new() { ["kvm"] = "/nowhere" };

    public async Task RunAsync(TextWriter output)
    {
        string directory = System.IO.Directory.CreateTempSubdirectory("imagecluster-scale-").FullName;
        try
        {
            await RunAsync(Path.Join(directory, "journal.db"), output);
        }
        finally
        {
            System.IO.Directory.Delete(directory, recursive: true);
        }
    }

    private async Task RunAsync(string journal, TextWriter output)
    {
        var runner = new SimulatedRunner { Shards = shards, KeepsDone = false, ShardTime = shardTime };
        await using TestNode node = await TestNode.StartAsync(journal, settings: new ImageClusterSettings());
        node.System.ActorOf(Props.Create(() => new FakeGatherer(node.Scheduler, node.Jobs, Images(), ImmutableList<string>.Empty)));
        string manifest = $$"""
            version: 1
            name: scale
            sources: [ { root: kvm, include: ['*'] } ]
            target: { root: kvm, format: qcow2 }
            verify: none
            parallel: { images: {{atATime}} }
            """;
        await TestNode.AskAsync<MigrationDone>(node.Migrations, new SubmitMigration("scale", default, "scale", manifest, "scale"));
        await node.MigrationAsync("scale", migration => migration.Overview.Phase == MigrationPhase.Running);
        var watch = Stopwatch.StartNew();
        var settings = new WorkerSettings { Roots = Roots, Slots = 1 };
        for (int worker = 0; worker < workers; worker++)
        {
            string id = $"simulated/{worker}";
            node.System.ActorOf(Props.Create(() => new WorkerActor(id, settings, runner, node.Scheduler, node.Jobs, node.Images, TimeProvider.System)));
        }

        using var process = Process.GetCurrentProcess();
        long peak = 0;
        MigrationDescription end;
        do
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            process.Refresh();
            peak = Math.Max(peak, process.WorkingSet64);
            end = await TestNode.AskAsync<MigrationDescription>(node.Migrations, new DescribeMigration("scale"));
        }
        while (!end.Overview.HasEnded);
        double seconds = watch.Elapsed.TotalSeconds;
        long all = (long)images * shards;
        long bytes = new FileInfo(journal).Length + (File.Exists(journal + "-wal") ? new FileInfo(journal + "-wal").Length : 0);
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"""
            state                {end.Overview.State}, {end.Overview.Numbers.Succeeded:#,0} of {images:#,0} images
            time                 {seconds:0.0} s with {workers:#,0} workers at {shardTime.TotalMilliseconds:0.###} ms a shard
            shards a second      {all / seconds:#,0}
            peak working set     {peak >> 20:#,0} MiB (coordinator and workers)
            journal file         {(double)bytes / all:0.0} bytes a shard
            of that, events      {(double)EventBytes(journal) / all:0.0} bytes a shard
            """));
    }

    private ImmutableList<MigratedImage> Images() =>
    [
        .. Enumerable.Range(0, images).Select(index => new MigratedImage
        {
            Index = index,
            Source = new ImageName("kvm", $"{index}.vmdk"),
            Target = new ImageName("kvm", $"{index}.qcow2"),
            AllocatedBytes = 1,
        }),
    ];

    private static long EventBytes(string journal)
    {
        using var connection = new SqliteConnection($"Data Source={journal}");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "select sum(length(message) + length(manifest)) from journal";
        return (long)command.ExecuteScalar()!;
    }
}
