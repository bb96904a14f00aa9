using Akka.Actor;
using Akka.TestKit;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Cluster.Working;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Running;
using Xunit.Abstractions;

namespace ImageCluster.Cluster.Tests.Working;

public sealed class WorkerActorTests : ActorTest
{
    private static readonly ImageName Target = new("kvm", "b.qcow2");
    private readonly ManualTime _time = new();
    private readonly TestProbe _scheduler;
    private readonly TestProbe _jobs;
    private readonly TestProbe _images;
    private readonly FakeRunner _runner = new();

    public WorkerActorTests(ITestOutputHelper output)
        : base(output)
    {
        (_scheduler, _jobs, _images) = (CreateTestProbe(), CreateTestProbe(), CreateTestProbe());
    }

    [Fact]
    public async Task A_task_is_renewed_before_it_begins_run_on_a_thread_of_its_own_and_reported()
    {
        IActorRef worker = Start();
        Assert.Equal(2, (await _scheduler.ExpectMsgAsync<WorkWanted>(Soon)).FreeSlots);
        worker.Tell(TaskOf(1, RangeSet.Of(3, 5)));
        Assert.Equal(1, (await _jobs.ExpectMsgAsync<RenewAssignment>(Soon)).Assignment);
        Assert.Empty(_runner.Shards);
        _jobs.Reply(new AssignmentHeld("j", 1, TimeSpan.FromMinutes(1)));
        CompleteShards done = await ExpectJob<CompleteShards>();
        Assert.Equal([3, 4], done.Results.Select(result => result.Shard));
        Assert.Equal([3, 4], _runner.Shards);
        Assert.All(_runner.Threads, name => Assert.Equal("task j/1", name));
        _jobs.Reply(new JobDone("j"));
        await _scheduler.FishForMessageAsync<WorkWanted>(wanted => wanted.FreeSlots == 2, Soon);
    }

    [Fact]
    public async Task A_report_that_nobody_answered_is_made_again()
    {
        IActorRef worker = Start();
        worker.Tell(TaskOf(1, RangeSet.Of(0, 1)));
        await Hold(1);
        await ExpectJob<CompleteShards>();
        await ExpectJob<CompleteShards>();
        _jobs.Reply(new JobDone("j"));
        await _scheduler.FishForMessageAsync<WorkWanted>(wanted => wanted.FreeSlots == 2, Soon);
    }

    [Fact]
    public async Task While_a_task_is_reported_its_slot_is_free_for_another_but_not_for_more_and_more()
    {
        IActorRef worker = Start();
        Assert.Equal(2, (await _scheduler.ExpectMsgAsync<WorkWanted>(Soon)).FreeSlots);
        // Four that are done, and nobody takes their reports.
        for (int assignment = 1; assignment <= 4; assignment++)
        {
            worker.Tell(TaskOf(assignment, RangeSet.Of(assignment, assignment + 1)));
            await _jobs.FishForMessageAsync(message => message is RenewAssignment renew && renew.Assignment == assignment, Soon);
            _jobs.Reply(new AssignmentHeld("j", assignment, TimeSpan.FromMinutes(1)));
            int left = Math.Min(2, 4 - assignment);
            await _scheduler.FishForMessageAsync<WorkWanted>(wanted => wanted.FreeSlots == left && _runner.Shards.Count == assignment, Soon);
        }

        worker.Tell(TaskOf(5, RangeSet.Of(5, 6)));
        Assert.Equal(5, (await ExpectJob<HandBack>()).Assignment);
        _jobs.SetAutoPilot(new DelegateAutoPilot((sender, message) =>
        {
            if (message is CompleteShards)
            {
                sender.Tell(new JobDone("j"));
            }

            return AutoPilot.KeepRunning;
        }));
        await _scheduler.FishForMessageAsync<WorkWanted>(wanted => wanted.FreeSlots == 2, Soon);
    }

    [Fact]
    public async Task What_a_task_wrote_is_made_durable_before_it_is_reported_while_its_slot_does_the_next()
    {
        using var flushing = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var written = new Written(() =>
        {
            flushing.Set();
            goOn.Wait();
        });
        _runner.Do = (shard, scope) => shard < 2 && scope.Files!.GetOrOpen(() => written) == written ? shard : 0;
        IActorRef worker = Start();
        worker.Tell(TaskOf(1, RangeSet.Of(0, 2)));
        await Hold(1);
        Assert.True(flushing.Wait(Soon));
        await _scheduler.FishForMessageAsync<WorkWanted>(wanted => wanted.FreeSlots == 2 && _runner.Shards.Count == 2, Soon);
        worker.Tell(TaskOf(2, RangeSet.Of(7, 8)));
        // Its renewals go on; nothing of it is reported.
        await _jobs.FishForMessageAsync(message => message is RenewAssignment { Assignment: 2 } ? true
            : message is RenewAssignment ? false : throw new InvalidOperationException($"{message}"), Soon);
        Assert.False(written.IsClosed);
        goOn.Set();
        Assert.Equal([0, 1], (await ExpectJob<CompleteShards>()).Results.Select(result => result.Shard));
        Assert.True(written.IsClosed);
    }

    [Fact]
    public async Task What_cannot_be_made_durable_is_not_done()
    {
        var written = new Written(() => throw new ImageException(ImageErrorKind.Io, "/kvm/b", "Input/output error"));
        _runner.Do = (shard, scope) => scope.Files!.GetOrOpen(() => written) == written ? shard : 0;
        IActorRef worker = Start();
        worker.Tell(TaskOf(1, RangeSet.Of(3, 5)));
        await Hold(1);
        var failed = (FailShard)await _jobs.FishForMessageAsync(message => message is FailShard ? true
            : message is RenewAssignment ? false : throw new InvalidOperationException($"{message}"), Soon);
        Assert.Equal((3, "/kvm/b: Input/output error", false), (failed.Shard, failed.Reason, failed.Permanent));
        _jobs.Reply(new JobDone("j"));
        await ExpectJob<HandBack>();
        Assert.True(written.IsClosed);
    }

    [Fact]
    public async Task What_is_more_than_it_has_slots_for_goes_back()
    {
        IActorRef worker = Start();
        foreach (int assignment in new[] { 1, 2, 3 })
        {
            worker.Tell(TaskOf(assignment, RangeSet.Of(assignment, assignment + 1)));
        }

        Assert.Equal(3, (await ExpectJob<HandBack>()).Assignment);
    }

    [Fact]
    public async Task A_failed_shard_is_reported_after_those_that_are_done_and_the_rest_goes_back()
    {
        _runner.Do = (shard, _) => shard == 1 ? throw new ImageException(ImageErrorKind.NoSpace, "/kvm/b", "No space left on device") : 0;
        IActorRef worker = Start();
        worker.Tell(TaskOf(1, RangeSet.Of(0, 3)));
        await Hold(1);
        Assert.Equal(0, Assert.Single((await ExpectJob<CompleteShards>()).Results).Shard);
        _jobs.Reply(new JobDone("j"));
        FailShard failed = await ExpectJob<FailShard>();
        Assert.Equal((1, "/kvm/b: No space left on device", true), (failed.Shard, failed.Reason, failed.Permanent));
        _jobs.Reply(new JobDone("j"));
        await ExpectJob<HandBack>();
        Assert.Equal([0, 1], _runner.Shards);
    }

    [Fact]
    public async Task What_the_job_cannot_take_is_reported_as_a_failure_with_its_reason()
    {
        IActorRef worker = Start();
        worker.Tell(TaskOf(1, RangeSet.Of(3, 5)));
        await Hold(1);
        await ExpectJob<CompleteShards>();
        _jobs.Reply(new JobRefused("j", new Refusal(RefusalKind.Invalid, "the result makes no sense")));
        FailShard failed = await ExpectJob<FailShard>();
        Assert.Equal((1, 3, "the result makes no sense"), (failed.Assignment, failed.Shard, failed.Reason));
        _jobs.Reply(new JobDone("j"));
        Assert.Equal(1, (await ExpectJob<HandBack>()).Assignment);
        _jobs.Reply(new JobDone("j"));
        await _scheduler.FishForMessageAsync<WorkWanted>(wanted => wanted.FreeSlots == 2, Soon);
    }

    [Fact]
    public async Task A_finding_of_an_unknown_version_fails_the_shard_and_not_the_node()
    {
        IActorRef worker = Start();
        worker.Tell(TaskOf(1, RangeSet.Of(3, 5)) with { Probed = "probe.v9:xx" });
        await Hold(1);
        FailShard failed = await ExpectJob<FailShard>();
        Assert.Equal((3, false), (failed.Shard, failed.Permanent));
        Assert.Contains("probe.v9", failed.Reason, StringComparison.Ordinal);
        _jobs.Reply(new JobDone("j"));
        await ExpectJob<HandBack>();
        Assert.Empty(_runner.Shards);
    }

    [Fact]
    public async Task A_task_stops_when_its_lease_ends_by_the_workers_own_clock_and_is_not_reported()
    {
        IActorRef worker = Start();
        using var inShard = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        _runner.Do = (_, scope) =>
        {
            inShard.Set();
            goOn.Wait();
            scope.Lease.Require();
            return 0;
        };
        worker.Tell(TaskOf(1, RangeSet.Of(0, 2)));
        await Hold(1);
        Assert.True(inShard.Wait(Soon));
        // Nobody answers its renewals any more.
        _time.Advance(TimeSpan.FromMinutes(1));
        goOn.Set();
        await _scheduler.FishForMessageAsync<WorkWanted>(wanted => wanted.FreeSlots == 2 && _runner.Shards.Count == 1, Soon);
        worker.Tell(TaskOf(2, RangeSet.Of(7, 8)));
        await _jobs.FishForMessageAsync(message => message is RenewAssignment { Assignment: 2 } ? true
            : message is RenewAssignment ? false : throw new InvalidOperationException($"{message}"), Soon);
    }

    [Fact]
    public async Task A_job_that_refuses_to_renew_stops_the_task()
    {
        IActorRef worker = Start();
        var stopped = new TaskCompletionSource<bool>();
        _runner.Do = (_, scope) =>
        {
            scope.Cancel.WaitHandle.WaitOne(Soon);
            stopped.SetResult(scope.Lease.Holds);
            throw new OperationCanceledException();
        };
        worker.Tell(TaskOf(1, RangeSet.Of(0, 1)));
        await Hold(1);
        await ExpectJob<RenewAssignment>();
        _jobs.Reply(new JobRefused("j", new Refusal(RefusalKind.Stale, "gone")));
        Assert.False(await stopped.Task.WaitAsync(Soon));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Told_to_stop_it_hands_back_what_it_has_and_only_then_stops(bool begun)
    {
        IActorRef worker = Start();
        using var inShard = new ManualResetEventSlim();
        _runner.Do = (_, scope) =>
        {
            inShard.Set();
            scope.Cancel.WaitHandle.WaitOne(Soon);
            throw new OperationCanceledException();
        };
        Watch(worker);
        worker.Tell(TaskOf(1, RangeSet.Of(0, 2)));
        await _jobs.ExpectMsgAsync<RenewAssignment>(Soon);
        if (begun)
        {
            _jobs.Reply(new AssignmentHeld("j", 1, TimeSpan.FromMinutes(1)));
            Assert.True(inShard.Wait(Soon));
            worker.Tell(StopRecord.Instance);
        }
        else
        {
            worker.Tell(StopRecord.Instance);
            _jobs.Reply(new AssignmentHeld("j", 1, TimeSpan.FromMinutes(1)));
        }

        await ExpectJob<HandBack>();
        await ExpectNoMsgAsync(TimeSpan.FromMilliseconds(50));
        _jobs.Reply(new JobDone("j"));
        await ExpectTerminatedAsync(worker, Soon);
        Assert.Equal(begun ? 1 : 0, _runner.Shards.Count);
    }

    [Fact]
    public async Task Room_is_asked_for_until_it_is_granted_and_the_rest_is_given_back()
    {
        IActorRef worker = Start();
        _runner.Do = (_, scope) => (scope.Room ??= new GrantedRoom(scope.AskRoom, _ => { }, 640)).Reserve(64, 64);
        worker.Tell(TaskOf(1, RangeSet.Of(0, 1)));
        await Hold(1);
        GrantRoom first = await _images.ExpectMsgAsync<GrantRoom>(Soon);
        GrantRoom again = await _images.ExpectMsgAsync<GrantRoom>(Soon);
        Assert.Equal((9, 1, 0, 640, 128), (first.Token, first.Assignment, first.Request, first.Wanted, first.AtLeast));
        Assert.Equal(first, again);
        _images.Reply(new RoomGiven(Target, 1, new RoomGrant(0, 4096, 640, Dirty: false)));
        await ExpectJob<CompleteShards>();
        _jobs.Reply(new JobDone("j"));
        Assert.Equal(4160, (await _images.FishForMessageAsync<CloseRoom>(_ => true, Soon)).CleanFrom[0]);
    }

    [Fact]
    public async Task What_was_copied_is_asked_for_part_by_part()
    {
        IActorRef worker = Start();
        var seen = new List<long>();
        _runner.Do = (_, scope) =>
        {
            seen.AddRange(scope.AskManifests().Select(manifest => manifest.Shard));
            return 0;
        };
        worker.Tell(TaskOf(1, RangeSet.Of(0, 1)));
        await Hold(1);
        Assert.Equal(0, (await ExpectJob<ListCopied>()).From);
        // Not answered: it asks again.
        Assert.Equal(0, (await ExpectJob<ListCopied>()).From);
        _jobs.Reply(new CopiedShards("j", [new ShardManifest(0, [], [], 1), new ShardManifest(2, [], [], 1)], 3));
        Assert.Equal(3, (await ExpectJob<ListCopied>()).From);
        _jobs.Reply(new CopiedShards("j", [new ShardManifest(7, [], [], 1)], null));
        await ExpectJob<CompleteShards>();
        Assert.Equal([0, 2, 7], seen);
    }

    [Fact]
    public async Task Bytes_of_a_rate_are_reserved_before_they_are_used()
    {
        _runner.Do = (_, scope) =>
        {
            scope.Throttle!(1000);
            return 0;
        };
        IActorRef worker = Start();
        worker.Tell(TaskOf(1, RangeSet.Of(0, 1)) with { Rates = [new TaskRate("m", 5000, 1), new TaskRate("m/kvm", 700, 2)] });
        await Hold(1);
        ReserveBytes first = await ExpectReservation();
        Assert.Equal(("m", 5000, "w/1"), (first.Rate, first.BytesPerSecond, first.Worker));
        Assert.InRange(first.Bytes, 1000, 1001);
        // Not answered: it asks again.
        Assert.Equal("m", (await ExpectReservation()).Rate);
        _scheduler.Reply(new BytesReserved("m", 1000, TimeSpan.Zero));
        ReserveBytes second = await ExpectReservation();
        Assert.Equal("m/kvm", second.Rate);
        Assert.InRange(second.Bytes, 2000, 2001);
        _scheduler.Reply(new BytesReserved("m/kvm", 1500, TimeSpan.FromMilliseconds(1)));
        Assert.InRange((await ExpectReservation()).Bytes, 500, 501);
        Assert.Single(_runner.Shards);
        _scheduler.Reply(new BytesReserved("m/kvm", 500, TimeSpan.Zero));
        await ExpectJob<CompleteShards>();

        async Task<ReserveBytes> ExpectReservation() => (ReserveBytes)await _scheduler.FishForMessageAsync(message => message is ReserveBytes, Soon);
    }

    private static ShardTask TaskOf(long assignment, RangeSet shards) => new("j", assignment, StageKind.Copy, shards,
        new ConvertSpec { Source = new ImageName("kvm", "a.raw"), Target = Target, TargetFormat = "qcow2" },
        new JobPlan { VirtualSize = 8 << 20, ShardLength = 2 << 20, Stages = [new StagePlan(StageKind.Copy, 4)] },
        new FillLayout { Shards = 4, RoomStart = 4096, RoomAlignment = 64 }, 9);

    private IActorRef Start()
    {
        var settings = new WorkerSettings
        {
            Roots = new Dictionary<string, string> { ["kvm"] = "/kvm" },
            Slots = 2,
            Heartbeat = TimeSpan.FromMilliseconds(150),
            AskTimeout = TimeSpan.FromMilliseconds(400),
        };
        return Sys.ActorOf(Props.Create(() => new WorkerActor("w/1", settings, _runner, _scheduler, _jobs, _images, _time)));
    }

    private async Task Hold(long assignment)
    {
        await _jobs.ExpectMsgAsync<RenewAssignment>(Soon);
        _jobs.Reply(new AssignmentHeld("j", assignment, TimeSpan.FromMinutes(1)));
    }

    // Renewals come in between.
    private async Task<T> ExpectJob<T>() => (T)await _jobs.FishForMessageAsync(message => message is T, Soon);

    private sealed class Written(Action flush) : IOpenFiles
    {
        public bool IsClosed { get; private set; }

        public void Flush() => flush();

        public void Dispose() => IsClosed = true;
    }

    private sealed class FakeRunner : IShardRunner
    {
        public List<long> Shards { get; } = [];

        public List<string?> Threads { get; } = [];

        public Func<long, TaskScope, long> Do { get; set; } = (_, _) => 0;

        public ShardResult Run(WorkTask task, long shard, TaskScope scope)
        {
            lock (Shards)
            {
                Shards.Add(shard);
                Threads.Add(Thread.CurrentThread.Name);
            }

            Do(shard, scope);
            return new ShardResult { Shard = shard };
        }
    }
}
