using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Api.Tests.Support;
using ImageCluster.Cli.Tests.Support;
using ImageCluster.Node.Tests.Support;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Node.Tests.Cli;

/// <summary>The commands of <c>imagecluster</c> that speak to a cluster, against a node's HTTP API.</summary>
public sealed class RemoteCommandTests : IDisposable
{
    private const string Manifest = """
        version: 1
        name: west wing
        sources:
          - {root: vmware, include: "*.vmdk"}
        target: {root: kvm, format: qcow2}

        """;

    private readonly TempDirectory _directory = new();

    public RemoteCommandTests() => File.WriteAllText(_directory["m.yaml"], Manifest);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_manifest_is_submitted_under_an_id_that_can_be_used_again()
    {
        await using RunningApi api = await RunningApi.Start();
        CliRun named = Run(api, "submit m.yaml --id west");
        Assert.Equal(0, named.ExitCode);
        Assert.Equal("Submitted as west.\nTo follow it: imagecluster watch west\n", named.Output);
        Assert.Equal(0, Run(api, "submit m.yaml --id west").ExitCode);
        File.AppendAllText(_directory["m.yaml"], "priority: 70\n");
        CliRun other = Run(api, "submit m.yaml --id west");
        Assert.Equal((4, "imagecluster: migration west was submitted before with another manifest; choose another id\n"), (other.ExitCode, other.Error));
        Assert.Matches("^Submitted as west-wing-[0-9a-f]{8}\\.\n", Run(api, "submit m.yaml").Output);
        Assert.Equal("west", Run(api, "status west --output json").Json["id"]!.ToString());
    }

    [Fact]
    public async Task Everything_that_the_cluster_finds_wrong_is_shown()
    {
        await using RunningApi api = await RunningApi.Start();
        File.WriteAllText(_directory["m.yaml"], Manifest.Replace("west wing", "a bad one", StringComparison.Ordinal));
        CliRun run = Run(api, "submit m.yaml");
        Assert.Equal((2, "imagecluster: manifest:1:1: bad\nimagecluster: manifest:2:1: worse\n"), (run.ExitCode, run.Error));
    }

    [Fact]
    public async Task The_status_is_a_table_or_json()
    {
        await using RunningApi api = await RunningApi.Start();
        Assert.Equal("No migrations in progress; --all shows those that are over.\n", Run(api, "status").Output);
        Assert.Equal("No migrations.\n", Run(api, "status --all").Output);
        Assert.Equal("No jobs in progress; --all shows those that are over.\n", Run(api, "status --jobs").Output);
        Add(api, "m1", "running");
        Add(api, "m2", "failed");
        Assert.Contains("m1", Run(api, "status").Output, StringComparison.Ordinal);
        Assert.DoesNotContain("m2", Run(api, "status").Output, StringComparison.Ordinal);
        Assert.Contains("m2", Run(api, "status --all").Output, StringComparison.Ordinal);
        Assert.Equal(2, Run(api, "status --all --output json").Json["items"]!.AsArray().Count);
        CliRun one = Run(api, "status m1");
        Assert.StartsWith("m1  lab  running\n", one.Output, StringComparison.Ordinal);
        Assert.Contains("3 images: 1 done, 1 in work, 1 failed", one.Output, StringComparison.Ordinal);
        api.Cluster.MigrationImages["m1"] = Images("succeeded", "failed", "running");
        Assert.Contains("vmware:1.vmdk: no space\n", Run(api, "status m1 --images").Output, StringComparison.Ordinal);
        Assert.Equal(3, Run(api, "status m1 --images --output json").Json["items"]!.AsArray().Count);
        CliRun none = Run(api, "status nothing");
        Assert.Equal((4, "imagecluster: there is no migration or job 'nothing'\n"), (none.ExitCode, none.Error));
    }

    [Fact]
    public async Task Migrations_and_jobs_are_steered_by_the_same_words()
    {
        await using RunningApi api = await RunningApi.Start();
        Add(api, "m1", "running");
        Assert.Equal(0, Run(api, "operator job submit -o commit -s kvm:top.qcow2 --id j1").ExitCode);
        foreach ((string word, string state) in new[] { ("pause", "paused"), ("resume", "running"), ("cancel", "cancelled"), ("retry", "running") })
        {
            Assert.StartsWith($"m1  lab  {state}\n", Run(api, $"{word} m1").Output, StringComparison.Ordinal);
            Assert.StartsWith($"j1  commit  {state}\n", Run(api, $"{word} j1").Output, StringComparison.Ordinal);
            Assert.Equal(4, Run(api, $"{word} nothing").ExitCode);
        }

        Assert.Contains("j1", Run(api, "status --jobs").Output, StringComparison.Ordinal);
        Assert.StartsWith("j1  commit  running\n", Run(api, "status j1").Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Images_and_workers_are_tables_or_json()
    {
        await using RunningApi api = await RunningApi.Start();
        Assert.Equal("No image is in use.\n", Run(api, "images").Output);
        api.Cluster.Images["kvm:a.qcow2"] = new ImageDocument { Name = "kvm:a.qcow2", Users = [new(41, "m.0.1", "fill", true, 29.5)] };
        Assert.Contains("m.0.1", Run(api, "images").Output, StringComparison.Ordinal);
        Assert.Equal("kvm:a.qcow2", Run(api, "images kvm:a.qcow2 --output json").Json["name"]!.ToString());
        CliRun released = Run(api, "operator image release -n kvm:a.qcow2 -t 41 -r gone");
        Assert.Contains("(released: gone)", released.Output, StringComparison.Ordinal);
        api.Cluster.Workers.Add(new WorkerDocument { Id = "w/1", Address = "node1:4053", Roots = ["kvm"], Slots = 4, FreeSlots = 1 });
        api.Cluster.Queue = new QueueDocument(1, 9, 3, 1, 1);
        Assert.EndsWith("1 worker; 3 shards in work, 9 waiting.\n", Run(api, "workers").Output, StringComparison.Ordinal);
        Assert.Equal("w/1", Run(api, "workers --output json").Json["items"]![0]!["id"]!.ToString());
    }

    [Fact]
    public async Task The_token_comes_from_a_file_and_is_asked_for()
    {
        await using RunningApi api = await RunningApi.Start("0123456789abcdef");
        CliRun without = Run(api, "workers");
        Assert.Equal((5, "imagecluster: this API wants a bearer token, or another one. Set IMAGECLUSTER_TOKEN, or give --token-file FILE.\n"), (without.ExitCode, without.Error));
        File.WriteAllText(_directory["token"], "0123456789abcdef\n");
        Assert.Equal(0, Run(api, "workers --token-file token").ExitCode);
    }

    [Fact]
    public async Task A_migration_is_watched_through_an_outage_to_its_end()
    {
        await using RunningApi api = await RunningApi.Start();
        Add(api, "m1", "planning");
        api.Cluster.Jobs["m1.0.1"] = new JobDocument
        {
            Id = "m1.0.1",
            Operation = "convert",
            State = "working",
            Spec = new ConvertSpecDocument { Source = "vmware:0.vmdk", Target = "kvm:0.qcow2", TargetFormat = "qcow2", Verify = "compare" },
        };
        Task story = Task.Run(async () =>
        {
            await Asked(api);
            api.Cluster.MigrationImages["m1"] = Images("running", "waiting", "skipped");
            Add(api, "m1", "running");
            await Asked(api);
            api.Cluster.Trouble = new OperationRefusedException(RefusalReason.Unavailable, "no coordinator answers");
            await Asked(api);
            api.Cluster.MigrationImages["m1"] = Images("succeeded", "failed", "skipped");
            api.Cluster.Migrations["m1"] = api.Cluster.Migrations["m1"] with { State = "failed", Images = new ImageCounts { Total = 3, Succeeded = 1, Failed = 1, Skipped = 1 }, Running = [] };
            api.Cluster.Trouble = null;
        });
        CliRun run = Run(api, "watch m1 --output plain");
        await story;
        Assert.Equal(1, run.ExitCode);
        string[] lines = run.Output.Split('\n');
        Assert.Contains("vmware:0.vmdk: converting 4.00 GiB to 0.qcow2", lines);
        Assert.Contains("no coordinator answers; asking again", lines);
        Assert.Contains(lines, line => line.StartsWith("vmware:0.vmdk: done: 4.00 GiB", StringComparison.Ordinal) && line.EndsWith(", verified", StringComparison.Ordinal));
        Assert.Contains("vmware:1.vmdk: failed: no space", lines);
        Assert.Contains("m1  lab  failed", lines);
    }

    [Fact]
    public async Task Watching_can_be_stopped_and_the_migration_goes_on()
    {
        await using RunningApi api = await RunningApi.Start();
        Add(api, "m1", "running");
        using var stop = new CancellationTokenSource();
        Task<CliRun> run = Task.Run(() => CliRun.Of(_directory.Path, stop.Token, "watch", "m1", "--cluster", api.Url.ToString()));
        await Asked(api);
        await stop.CancelAsync();
        Assert.Equal((130, "imagecluster: stopped watching; migration m1 goes on\n"), ((await run).ExitCode, (await run).Error));
        Assert.Equal("running", api.Cluster.Migrations["m1"].State);
        Assert.Equal(4, Run(api, "watch nothing").ExitCode);
    }

    // Waits for two looks from now on: the second one has begun after this call.
    private static async Task Asked(RunningApi api)
    {
        int looks = api.Cluster.Looks;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (api.Cluster.Looks < looks + 2)
        {
            await Task.Delay(20, patience.Token);
        }
    }

    private CliRun Run(RunningApi api, string line) => CliRun.Of(_directory.Path, [.. line.Split(' '), "--cluster", api.Url.ToString()]);

    private static void Add(RunningApi api, string id, string state) => api.Cluster.Migrations[id] = new MigrationDocument
    {
        Id = id,
        Name = "lab",
        State = state,
        SubmittedAt = FakeCluster.Then,
        PlannedBytes = 8L << 30,
        Images = state == "planning" ? new ImageCounts() : new ImageCounts { Total = 3, Succeeded = 1, Running = 1, Failed = 1 },
        Running = state == "running" ? [.. Images("running")] : [],
    };

    private static List<MigrationImageDocument> Images(params string[] states) =>
    [
        .. states.Select((state, i) => new MigrationImageDocument
        {
            Index = i,
            Source = $"vmware:{i}.vmdk",
            Target = $"kvm:{i}.qcow2",
            State = state,
            DataBytes = 4L << 30,
            Reason = state is "failed" ? "no space" : state is "skipped" ? "it is there" : null,
            Job = state is "running" or "succeeded" or "failed" ? $"m1.{i}.1" : null,
            Stage = state is "running" ? "copy" : null,
            Shards = state is "running" ? 8 : 0,
            ShardsDone = state is "running" ? 3 : 0,
        }),
    ];
}
