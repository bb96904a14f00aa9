using System.Collections.Immutable;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Imaging;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Migrations;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Cluster.Tests.Migrations;

/// <summary>Whole migrations whose workers only say that they did something.</summary>
public sealed class MigrationActorTests : IDisposable
{
    private const string Manifest = SimulatedMigration.Manifest;

    private static readonly Dictionary<string, string> AllRoots = new() { ["kvm"] = "/nowhere", ["vmware"] = "/nowhere" };
    private readonly TempDirectory _directory = new();
    private readonly SimulatedRunner _runner = new() { Shards = 4 };

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task It_is_gathered_and_converted_a_base_first_and_listed()
    {
        await using TestNode node = await StartAsync();
        await node.SubmitMigrationAsync("m", Manifest);
        MigrationDescription end = await node.MigrationAsync("m", migration => migration.Overview.HasEnded);
        Assert.Equal(MigrationPhase.Succeeded, end.Overview.Phase);
        Assert.Equal((5, 4, 1), (end.Overview.Numbers.Images, end.Overview.Numbers.Succeeded, end.Overview.Numbers.Skipped));
        MigrationImages images = await TestNode.AskAsync<MigrationImages>(node.Migrations, new ListMigrationImages("m", ImageProgress.Succeeded, 1, 2));
        Assert.Equal((2, 4), (images.Images.Count, images.Total));
        Assert.All(images.Images, image => Assert.StartsWith("sha256t:", image.Image.Digest, StringComparison.Ordinal));
        Assert.Equal("m.1.1", images.Images[0].JobId);
        // The overlay's job came behind its base's end.
        List<(string JobId, StageKind Stage, long)> done = [.. _runner.Done];
        Assert.True(done.FindIndex(step => step.JobId == "m.1.1") > done.FindIndex(step => step is { JobId: "m.0.1", Stage: StageKind.Install }));
        ImageDescription target = await TestNode.AskAsync<ImageDescription>(node.Images, new DescribeImage(new ImageName("kvm", "0.qcow2")));
        Assert.Equal([new ImageName("kvm", "1.qcow2")], target.Dependents);
        MigrationPage page = await TestNode.UntilAsync(
            () => TestNode.AskAsync<MigrationPage>(node.Directory, new ListMigrations(new ListPart("succeeded", 0, 10))), page => page.Total == 1, _ => "not listed");
        Assert.Equal("west", Assert.Single(page.Migrations).Name);
        // The same again is the same answer; another by that id is refused.
        await node.SubmitMigrationAsync("m", Manifest);
        Assert.Equal(RefusalKind.Conflict, (await RefusedAsync(node, new SubmitMigration("m", default, "west", Manifest + "\n", "ann"))).Kind);
    }

    [Fact]
    public async Task Killed_and_started_again_it_goes_on_by_itself()
    {
        using var inWork = new ManualResetEventSlim();
        _runner.Before = (task, _, scope) =>
        {
            if (task is { JobId: "m.1.1", Stage: StageKind.Copy })
            {
                inWork.Set();
                scope.Cancel.WaitHandle.WaitOne();
                scope.Cancel.ThrowIfCancellationRequested();
            }
        };
        await using (TestNode first = await StartAsync())
        {
            await first.SubmitMigrationAsync("m", Manifest);
            Assert.True(inWork.Wait(TestNode.Patience));
            await first.KillAsync();
        }

        _runner.Before = static (_, _, _) => { };
        await using TestNode second = await StartAsync(gather: false);
        await TestNode.UntilAsync(
            () => Task.FromResult(_runner.Done.Count(done => done.Stage == StageKind.Install)), installed => installed == 4, installed => $"{installed} installed");
        MigrationDescription end = await second.MigrationAsync("m", migration => migration.Overview.HasEnded);
        Assert.Equal((MigrationPhase.Succeeded, 4), (end.Overview.Phase, end.Overview.Numbers.Succeeded));
    }

    [Fact]
    public async Task Paused_resumed_and_cancelled_its_jobs_are_too()
    {
        _runner.Before = (task, _, scope) =>
        {
            if (task.Stage == StageKind.Copy)
            {
                scope.Cancel.WaitHandle.WaitOne();
                scope.Cancel.ThrowIfCancellationRequested();
            }
        };
        await using TestNode node = await StartAsync();
        await node.SubmitMigrationAsync("m", Manifest);
        await node.MigrationAsync("m", migration => migration.Running.Any(image => image.Job?.Stage == StageKind.Copy));
        await TestNode.AskAsync<MigrationDone>(node.Migrations, new PauseMigration("m", default, "ann"));
        await node.MigrationAsync("m", migration => migration.Running.All(image => image.Job is { IsPaused: true }));
        Assert.Equal("paused by migration m", (await node.JobAsync("m.0.1", _ => true)).Summary.Reason);
        await TestNode.AskAsync<MigrationDone>(node.Migrations, new ResumeMigration("m", default, "ann"));
        await node.JobAsync("m.0.1", job => !job.Summary.IsPaused);
        await TestNode.AskAsync<MigrationDone>(node.Migrations, new CancelMigration("m", default, "bob"));
        MigrationDescription end = await node.MigrationAsync("m", migration => migration.Overview.HasEnded);
        Assert.Equal((MigrationPhase.Cancelled, 4), (end.Overview.Phase, end.Overview.Numbers.Cancelled));
        Assert.Equal(["cancelled by bob"], end.Overview.Reasons);
    }

    [Fact]
    public async Task Cancelled_before_its_images_are_gathered_it_leaves_no_job_behind()
    {
        // No worker reaches the root of the sources, so the job that gathers waits.
        await using TestNode node = await TestNode.StartAsync(_directory["journal.db"], roots: SimulatedMigration.Roots, runner: _runner);
        await node.SubmitMigrationAsync("m", Manifest);
        await node.JobAsync("m.gather", job => job.Summary.Reason.StartsWith("waits for a free worker", StringComparison.Ordinal));
        await TestNode.AskAsync<MigrationDone>(node.Migrations, new CancelMigration("m", default, "ann"));
        Assert.Equal(MigrationPhase.Cancelled, (await node.MigrationAsync("m", migration => migration.Overview.HasEnded)).Overview.Phase);
        Assert.Equal(("cancelled", "cancelled by ann"), (await node.JobEndAsync("m.gather")).Summary is var end ? (end.State, end.Reason) : default);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_job_that_was_submitted_before_with_another_meaning_is_waited_for(bool isOver)
    {
        await using TestNode node = await StartAsync();
        // As an earlier version of the program would have.
        var before = new ConvertSpec { Source = new ImageName("kvm", "0.vmdk"), Target = new ImageName("kvm", "0.qcow2"), TargetFormat = "qcow2", Compress = true, Verify = VerifyMode.None };
        await node.SubmitAsync("m.0.1", before, new JobSettings { Migration = "m" });
        if (isOver)
        {
            await node.JobEndAsync("m.0.1");
        }

        await node.SubmitMigrationAsync("m", Manifest);
        MigrationDescription end = await node.MigrationAsync("m", migration => migration.Overview.HasEnded);
        Assert.Equal((MigrationPhase.Succeeded, 4), (end.Overview.Phase, end.Overview.Numbers.Succeeded));
    }

    [Fact]
    public async Task What_failed_is_tried_again_when_somebody_says_so()
    {
        _runner.Before = (task, _, _) =>
        {
            if (task.JobId == "m.0.1" && task.Stage == StageKind.Copy)
            {
                throw new ImageException(ImageErrorKind.NoSpace, null, "No space left on device");
            }
        };
        await using TestNode node = await StartAsync();
        await node.SubmitMigrationAsync("m", Manifest);
        MigrationDescription failed = await node.MigrationAsync("m", migration => migration.Overview.HasEnded);
        Assert.Equal((MigrationPhase.Failed, 2, 2), (failed.Overview.Phase, failed.Overview.Numbers.Failed, failed.Overview.Numbers.Succeeded));
        await TestNode.AskAsync<MigrationDone>(node.Migrations, new RetryImages("m", default, "ann"));
        MigrationDescription end = await node.MigrationAsync("m", migration => migration.Overview.HasEnded);
        Assert.Equal((MigrationPhase.Succeeded, 4), (end.Overview.Phase, end.Overview.Numbers.Succeeded));
    }

    [Fact]
    public async Task A_plan_that_must_not_start_says_why_and_a_manifest_that_is_wrong_is_refused()
    {
        await using TestNode node = await StartAsync(refusals: ["the targets need more than is free"]);
        await node.SubmitMigrationAsync("m", Manifest);
        MigrationDescription end = await node.MigrationAsync("m", migration => migration.Overview.HasEnded);
        Assert.Equal(MigrationPhase.Failed, end.Overview.Phase);
        Assert.Equal(["the targets need more than is free"], end.Overview.Reasons);
        Assert.Contains("nonsense", (await RefusedAsync(node, new SubmitMigration("n", default, "x", "nonsense: 1", "ann"))).Message, StringComparison.Ordinal);
        string local = Manifest.Replace("root: kvm", "root: /mnt/kvm", StringComparison.Ordinal);
        Assert.Contains("/mnt/kvm", (await RefusedAsync(node, new SubmitMigration("n", default, "x", local, "ann"))).Message, StringComparison.Ordinal);
        Assert.Equal(RefusalKind.Unknown, (await RefusedAsync(node, new DescribeMigration("n"))).Kind);
    }

    [Fact]
    public async Task Its_rates_are_shared_by_all_of_its_jobs_and_kept()
    {
        int passed = 0;
        _runner.Before = (task, _, scope) =>
        {
            if (task.Stage == StageKind.Copy)
            {
                scope.Throttle!(1 << 20);
                Interlocked.Increment(ref passed);
            }
        };
        await using TestNode node = await StartAsync();
        string manifest = Manifest.Replace("limits: { shards: 3 }", "rate: 1GiB/s\nlimits: { roots: { kvm: { rate: 2GiB/s }, vmware: { shards: 7 } } }", StringComparison.Ordinal);
        await node.SubmitMigrationAsync("m", manifest);
        MigrationDescription end = await node.MigrationAsync("m", migration => migration.Overview.HasEnded);
        Assert.Equal((MigrationPhase.Succeeded, 4), (end.Overview.Phase, end.Overview.Numbers.Succeeded));
        Assert.Equal(16, passed);
        JobSettings settings = (await TestNode.AskAsync<JobDescription>(node.Jobs, new DescribeJob("m.1.1"))).Settings;
        Assert.Equal([new("m", new SharedRate(1L << 30)), new("m/kvm", new SharedRate(2L << 30, "kvm"))], settings.SharedRates);
        Assert.Equal([new("m/vmware", 7)], settings.SharedLimits);
    }

    [Fact]
    public async Task Where_no_worker_reaches_the_sources_it_says_so()
    {
        await using TestNode node = await TestNode.StartAsync(_directory["journal.db"], roots: SimulatedMigration.Roots, runner: _runner);
        await node.SubmitMigrationAsync("m", Manifest);
        MigrationDescription waiting = await node.MigrationAsync("m", migration => !migration.Overview.Reasons.IsEmpty);
        Assert.Equal(MigrationPhase.Planning, waiting.Overview.Phase);
        Assert.Contains("vmware", Assert.Single(waiting.Overview.Reasons), StringComparison.Ordinal);
    }

    private static async Task<Refusal> RefusedAsync(TestNode node, object message) =>
        (await TestNode.AskAsync<MigrationRefused>(node.Migrations, message)).Refusal;

    private async Task<TestNode> StartAsync(bool gather = true, ImmutableList<string>? refusals = null)
    {
        TestNode node = await TestNode.StartAsync(_directory["journal.db"], roots: gather ? SimulatedMigration.Roots : AllRoots, runner: _runner);
        if (gather)
        {
            SimulatedMigration.GatherOn(node, SimulatedMigration.Images(5), refusals);
        }

        return node;
    }
}
