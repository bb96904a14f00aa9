using ImageCluster.Api;
using ImageCluster.Api.Client;
using ImageCluster.Api.Documents;
using ImageCluster.Cli.Progress;
using ImageCluster.Cli.Remote;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Operations.Verifying;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Cli.Demonstrating;

/// <summary>
/// The demo on a cluster: processes on this machine with one journal in an SQLite file between them, a migration through them, one of them killed
/// on the way, and a look at what came out.
/// </summary>
internal sealed class ClusterDemo(CliHost host, string directory, NodeProgram program, int count)
{
    private const string MigrationId = "demo";

    private const string ManifestText = """
        version: 1
        name: demo
        sources:
          - root: disks
            include: "*.{raw,qcow2,vmdk}"
        target:
          root: migrated
          format: qcow2
        verify: compare

        """;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(300);

    private readonly List<DemoNode> _nodes = [];
    private readonly string _disks = Path.Join(directory, "disks");
    private readonly string _migrated = Path.Join(directory, "migrated");
    private readonly string _logs = Path.Join(directory, "cluster");

    public int Run()
    {
        DemoDirectory.Prepare(directory, Shown(directory));
        host.Out.WriteLine($"Making disks in {Shown(_disks)}");
        new DemoDisks(host, _disks).Make();
        Directory.CreateDirectory(_migrated);
        Directory.CreateDirectory(_logs);
        File.WriteAllText(Path.Join(directory, "demo.yaml"), ManifestText);
        try
        {
            return Task.Run(() => RunAsync(host.Stop)).GetAwaiter().GetResult();
        }
        finally
        {
            _nodes.ForEach(node => node.Dispose());
        }
    }

    private async Task<int> RunAsync(CancellationToken stop)
    {
        await StartNodesAsync(stop);
        using var client = new ClusterClient(_nodes[0].Url!, null);
        await WaitForWorkersAsync(client, stop);
        host.Out.WriteLine($"\nSubmitting {Shown(Path.Join(directory, "demo.yaml"))} to {_nodes[0].Url}");
        await client.SubmitMigrationAsync(new MigrationSubmission { Id = MigrationId, Manifest = ManifestText, By = RemoteCall.By }, stop);

        var board = new ProgressBoard(MigrationId, host.Time) { StopHint = "Ctrl-C ends the demo" };
        MigrationDocument? end = null;
        await Displays.For(OutputForm.Auto, host.Console, host.Out).Follow(board, async () =>
        {
            Task killing = KillOneAsync(client, board, stop);
            end = await new RemoteProgress(client, MigrationId, board, Look).FollowAsync(stop);
            await killing;
        });
        host.Out.WriteLine();
        RemoteTables.Migration(host.Console, end!, host.Time);
        bool right = end!.State == "succeeded" && await CompareAsync(client, stop);
        host.Out.WriteLine("\nStopping the nodes");
        foreach (DemoNode node in Enumerable.Reverse(_nodes))
        {
            await node.StopAsync();
        }

        if (right)
        {
            WriteWhatNext();
        }

        return right ? ExitCode.Done : ExitCode.SomeFailed;
    }

    private async Task StartNodesAsync(CancellationToken stop)
    {
        host.Out.WriteLine($"\nStarting {count} nodes, each a coordinator and a worker; logs in {Shown(_logs)}");
        for (int number = 1; number <= count; number++)
        {
            var settings = new List<string>
            {
                "--cluster.port", "0", "--http.listen", "http://127.0.0.1:0", "--console.port", "0", "--worker.slots", "1", "--downing.stableAfter", "3s",
                "--journal.file", Path.Join(_logs, "journal.db"), "--worker.roots", $"disks={_disks},migrated={_migrated}",
            };
            if (number > 1)
            {
                settings.AddRange(["--cluster.seeds", _nodes[0].ClusterAddress]);
            }

            _nodes.Add(DemoNode.Start(program, number, _logs, settings));
            // The first one alone: it makes the cluster that the others join, and the tables of the journal.
            if (number is 1 || number == count)
            {
                await Task.WhenAll(_nodes.Select(node => node.WaitAsync(stop)));
            }
        }

        foreach (DemoNode node in _nodes)
        {
            host.Out.WriteLine($"  node {node.Number}  process {node.ProcessId}, {node.Url}");
        }
    }

    private async Task WaitForWorkersAsync(ClusterClient client, CancellationToken stop)
    {
        while ((await client.ListWorkersAsync(stop)).Items.Count < count)
        {
            await Task.Delay(Look, stop);
        }
    }

    // One that is at work, where there is one besides the node that is asked; while there is still much to do.
    private async Task KillOneAsync(ClusterClient client, ProgressBoard board, CancellationToken stop)
    {
        if (count < 3)
        {
            return;
        }

        while (true)
        {
            MigrationDocument migration = await client.GetMigrationAsync(MigrationId, stop);
            if (migration.IsOver)
            {
                return;
            }

            if (migration.Running.Any(image => image.Stage is "copy" or "verify") && await AtWorkAsync(client, stop) is { } victim)
            {
                victim.Kill();
                board.Note($"Killed node {victim.Number} (kill -9 {victim.ProcessId}) in the middle of its work; the others take over within half a minute");
                return;
            }

            await Task.Delay(Look, stop);
        }
    }

    private async Task<DemoNode?> AtWorkAsync(ClusterClient client, CancellationToken stop)
    {
        WorkerList workers = await client.ListWorkersAsync(stop);
        return _nodes.Skip(1).FirstOrDefault(node => workers.Items.Any(worker => worker.Address == node.ClusterAddress && worker.FreeSlots < worker.Slots));
    }

    // With the engine alone, apart from what the cluster says: the guest's digest of each source and of its target.
    private async Task<bool> CompareAsync(ClusterClient client, CancellationToken stop)
    {
        host.Out.WriteLine("\nComparing every target with its source, here and now:");
        bool right = true;
        MigrationImageList images = await client.ListMigrationImagesAsync(MigrationId, new ListQuery { Limit = ListQuery.MaxLimit }, stop);
        foreach (MigrationImageDocument image in images.Items)
        {
            string name = image.Source[(image.Source.IndexOf(':', StringComparison.Ordinal) + 1)..];
            string target = Path.Join(_migrated, image.Target![(image.Target!.IndexOf(':', StringComparison.Ordinal) + 1)..]);
            string source = Digest(Path.Join(_disks, name), stop);
            bool same = source == Digest(target, stop);
            right &= same;
            host.Out.WriteLine($"  {name,-19} {(same ? "same" : "DIFFERENT")}  {source}");
        }

        return right;
    }

    private static string Digest(string file, CancellationToken stop)
    {
        using LayeredDisk disk = new ChainOpener(new LocalFileLocator()).Open(file, new ChainOptions());
        return new DiskVerifier(disk, null, new VerifyOptions()).Run(stop).Digest!.Value.ToString();
    }

    private void WriteWhatNext()
    {
        string command = Demo.CommandFor(AppContext.BaseDirectory, host.Directory);
        string[] lines =
        [
            "",
            "What to try next:",
            $"  {command} node --worker.roots disks={Shown(_disks)},migrated={Shown(_migrated)}    # a cluster of one node, at http://127.0.0.1:8080",
            $"  {command} submit {Shown(Path.Join(directory, "demo.yaml"))} --cluster http://127.0.0.1:8080 --watch",
            $"  qemu-img check {Shown(Path.Join(_migrated, "server-today.qcow2"))}",
            $"  rm -r {Shown(directory)}",
        ];
        foreach (string line in lines)
        {
            host.Out.WriteLine(line);
        }
    }

    private string Shown(string path)
    {
        string relative = Path.GetRelativePath(host.Directory, path);
        return relative.StartsWith("../..", StringComparison.Ordinal) ? path : relative;
    }
}
