using Akka.Actor;
using Akka.TestKit;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Jobs;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;
using Xunit.Abstractions;

namespace ImageCluster.Cluster.Tests.Jobs;

/// <summary>One job's actor with real image actors, under a journal that fails and waits; the test plays scheduler and worker.</summary>
public sealed class JobActorFaults : ActorTest
{
    private static readonly ImageName A = new("kvm", "a");
    private static readonly ImageName B = new("kvm", "b");
    private static readonly ConvertSpec Spec = new() { Source = A, Target = B, TargetFormat = "raw", Verify = VerifyMode.None };
    private static readonly ProbeFindings Findings = new()
    {
        Geometry = new JobGeometry(2L << 29, 1L << 29, true),
        Chains = [new ProbedChain(A, [new ProbedImage(A, "raw", 2L << 29)])],
    };

    private static readonly TimeSpan LeaseDuration = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AssignmentDuration = TimeSpan.FromSeconds(10);
    private readonly TestProbe _scheduler;
    private readonly TestProbe _others;
    private readonly IActorRef _images;
    private readonly ManualTime _still = new();
    private TimeProvider _time = TimeProvider.System;
    private int _gifts;

    public JobActorFaults(ITestOutputHelper output)
        : base(output, serializesMessages: false)
    {
        (_scheduler, _others) = (CreateTestProbe(), CreateTestProbe());
        Func<TimeProvider> time = () => _time;
        _images = Sys.ActorOf(Props.Create(() => new ImageRouter(time)));
    }

    [Fact]
    public async Task Nothing_is_acknowledged_before_it_is_stored()
    {
        IActorRef job = Start();
        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Hold);
        job.Tell(new SubmitJob("j", default, Spec, JobSettings.Default), TestActor);
        await ExpectNoMsgAsync(TimeSpan.FromMilliseconds(300));
        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Pass);
        await ExpectMsgAsync<JobDone>(Soon);
    }

    [Fact]
    public async Task An_event_of_an_unknown_version_makes_the_record_refuse_everything_and_say_why()
    {
        IActorRef job = Start();
        await job.Ask<JobDone>(new SubmitJob("j", default, Spec, JobSettings.Default), Soon);
        await job.GracefulStop(Soon, StopRecord.Instance);
        await WriteNewerAsync(JobActor.PersistenceIdOf("j"), new JobPaused("ann", default));
        job = Start();
        foreach (object message in new object[] { new SubmitJob("j", default, Spec, JobSettings.Default), new PauseJob("j", default, "ann"), new DescribeJob("j") })
        {
            JobRefused refused = await job.Ask<JobRefused>(message, Soon);
            Assert.Equal(RefusalKind.Conflict, refused.Refusal.Kind);
            Assert.Contains("newer version", refused.Refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_journal_that_fails_costs_the_answer_but_nothing_that_was_acknowledged()
    {
        IActorRef job = Start();
        await job.Ask<JobDone>(new SubmitJob("j", default, Spec, JobSettings.Default), Soon);
        ShardTask probe = await TaskAsync(job);
        Assert.Equal(StageKind.Probe, probe.Stage);
        var done = new CompleteShards("j", default, probe.Assignment, [new ShardResult { Shard = 0, Detail = FindingsCodec.Encode(Findings) }]);

        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Fail);
        Watch(job);
        job.Tell(done, TestActor);
        Assert.Equal(job, (await ExpectMsgAsync<Terminated>(Soon)).ActorRef);
        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Pass);

        // As its shard starts it again. The worker says it again, too.
        job = Start();
        Assert.IsType<AssignmentHeld>(await job.Ask<JobReply>(new RenewAssignment("j", default, probe.Assignment, default), Soon));
        await job.Ask<JobDone>(done, Soon);
        await job.Ask<JobDone>(done, Soon);
        ShardTask create = await TaskAsync(job);
        Assert.Equal(StageKind.Create, create.Stage);
        ImageDescription target = await _images.Ask<ImageDescription>(new DescribeImage(B), Soon);
        Assert.Equal(create.TargetToken, Assert.Single(target.Users).Token);
    }

    [Fact]
    public async Task A_finding_that_cannot_be_read_is_refused_and_not_stored()
    {
        IActorRef job = Start();
        await job.Ask<JobDone>(new SubmitJob("j", default, Spec, JobSettings.Default), Soon);
        ShardTask probe = await TaskAsync(job);
        var done = new CompleteShards("j", default, probe.Assignment, [new ShardResult { Shard = 0, Detail = "probe.v9:xx" }]);
        Assert.Equal(RefusalKind.Invalid, (await job.Ask<JobRefused>(done, Soon)).Refusal.Kind);
    }

    [Fact]
    public async Task A_lease_that_an_operator_takes_away_fails_the_job_which_says_so()
    {
        IActorRef job = Start();
        await job.Ask<JobDone>(new SubmitJob("j", default, Spec, JobSettings.Default), Soon);
        ShardTask probe = await TaskAsync(job);
        await _images.Ask<ImageDone>(new RevokeUse(B, default, probe.TargetToken, "ann", "stuck"), Soon);
        await AwaitAssertAsync(
            async () =>
            {
                JobDescription seen = await job.Ask<JobDescription>(new DescribeJob("j"), Soon);
                Assert.Contains("taken away by ann: stuck", seen.Summary.Reason, StringComparison.Ordinal);
            },
            TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_disk_that_cannot_be_cut_into_shards_fails_the_job_and_nothing_else()
    {
        IActorRef job = Start();
        await job.Ask<JobDone>(new SubmitJob("j", default, Spec, JobSettings.Default), Soon);
        ShardTask probe = await TaskAsync(job);
        // 2 EiB, as the header of a small qcow2 file may say.
        var findings = new ProbeFindings { Geometry = new JobGeometry(1L << 61, 1L << 29, true), Chains = [new ProbedChain(A, [new ProbedImage(A, "qcow2", 1L << 61)])] };
        // The node's log says so, too.
        await EventFilter.Warning(contains: "Job j (convert) failed: a step has").ExpectOneAsync(TimeSpan.FromSeconds(30), () =>
            job.Ask<JobDone>(new CompleteShards("j", default, probe.Assignment, [new ShardResult { Shard = 0, Detail = FindingsCodec.Encode(findings) }]), Soon));
        JobSummary end = await EndAsync(job);
        Assert.Equal((JobOutcome.Failed, $"a step has 1 to {JobPlan.MaxShards:#,0} shards"), (end.Outcome, end.Reason));
    }

    [Fact]
    public async Task While_its_leases_cannot_be_renewed_it_offers_nothing()
    {
        _time = _still;
        IActorRef job = Start();
        await job.Ask<JobDone>(new SubmitJob("j", default, Spec, JobSettings.Default), Soon);
        await _scheduler.FishForMessageAsync<WorkOffered>(offer => offer.Waiting > 0, TimeSpan.FromSeconds(30));
        await _images.Ask<HoldBack>(new HoldBack(typeof(RenewUse)), Soon);
        _still.Advance(LeaseDuration);
        // A task that nobody could begin would cost a worker's slot, again and again.
        await _scheduler.FishForMessageAsync<WorkOffered>(offer => offer.Waiting == 0, TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Started_again_it_lets_a_worker_work_no_longer_than_its_leases_last()
    {
        _time = _still;
        IActorRef job = Start();
        await job.Ask<JobDone>(new SubmitJob("j", default, Spec, JobSettings.Default), Soon);
        ShardTask probe = await TaskAsync(job);
        await StopAsync(job);

        job = Start();
        await AwaitAssertAsync(
            async () =>
            {
                AssignmentHeld held = await job.Ask<AssignmentHeld>(new RenewAssignment("j", default, probe.Assignment, default), Soon);
                Assert.InRange(held.Remaining, TimeSpan.FromMilliseconds(1), LeaseDuration);
            },
            TimeSpan.FromSeconds(30));
        await _images.Ask<HoldBack>(new HoldBack(typeof(TakeUse)), Soon);
        await StopAsync(job);

        // It does not know its leases yet.
        job = Start();
        Assert.Equal(TimeSpan.Zero, (await job.Ask<AssignmentHeld>(new RenewAssignment("j", default, probe.Assignment, default), Soon)).Remaining);
    }

    [Fact]
    public async Task It_says_that_it_waits_for_a_worker_only_when_it_has()
    {
        _time = _still;
        IActorRef job = Start();
        await job.Ask<JobDone>(new SubmitJob("j", default, Spec, JobSettings.Default), Soon);
        // Each beat offers again, and looks how long the job has waited.
        for (int i = 0; i < 5; i++)
        {
            await _scheduler.FishForMessageAsync<WorkOffered>(offer => offer.Waiting > 0, TimeSpan.FromSeconds(30));
        }

        Assert.Equal("", (await job.Ask<JobDescription>(new DescribeJob("j"), Soon)).Summary.Reason);
    }

    [Fact]
    public async Task What_is_done_is_published_under_the_lease_that_holds_after_a_restart()
    {
        _time = _still;
        IActorRef job = Start();
        await job.Ask<JobDone>(new SubmitJob("j", default, Spec, JobSettings.Default), Soon);
        await DoAsync(job, FindingsCodec.Encode(Findings));
        await DoAsync(job, FindingsCodec.Encode(new FillLayout { Shards = 2, RoomStart = -1 }));
        ShardTask copy = await TaskAsync(job);
        Assert.Equal(StageKind.Copy, copy.Stage);
        await StopAsync(job);
        _still.Advance(LeaseDuration);
        await AwaitAssertAsync(async () => Assert.Empty((await _images.Ask<ImageDescription>(new DescribeImage(B), Soon)).Users), TimeSpan.FromSeconds(30));

        // A worker that was about to report says so before the job has its images again.
        await _images.Ask<HoldBack>(new HoldBack(typeof(TakeUse)), Soon);
        job = Start();
        var done = new CompleteShards("j", default, copy.Assignment, [.. copy.Shards.Values().Select(shard => new ShardResult { Shard = shard })]);
        job.Tell(done, CreateTestProbe());
        await job.Ask<JobDescription>(new DescribeJob("j"), Soon);
        await _images.Ask<HoldBack>(new HoldBack(null), Soon);
        await AwaitAssertAsync(async () => await job.Ask<JobDone>(done, TimeSpan.FromSeconds(1)), TimeSpan.FromSeconds(30));
        Assert.Equal("", (await job.Ask<JobDescription>(new DescribeJob("j"), Soon)).Summary.Reason);
    }

    [Fact]
    public async Task A_job_that_is_cancelled_keeps_its_images_until_a_lost_workers_last_write_has_arrived()
    {
        _time = _still;
        IActorRef job = Start();
        await job.Ask<JobDone>(new SubmitJob("j", default, Spec, JobSettings.Default), Soon);
        await _scheduler.FishForMessageAsync<WorkOffered>(offer => offer.Waiting > 0, TimeSpan.FromSeconds(30));
        await StopAsync(job);

        // Started again it knows of no worker, and so not since when there was none.
        job = Start();
        await _scheduler.FishForMessageAsync<WorkOffered>(offer => offer.Waiting > 0, TimeSpan.FromSeconds(30));
        await job.Ask<JobDone>(new CancelJob("j", default, "ann"), Soon);
        Assert.Equal(JobOutcome.Cancelled, (await EndAsync(job)).Outcome);
        await ExpectNoMsgAsync(TimeSpan.FromMilliseconds(500));
        Assert.NotEmpty((await _images.Ask<ImageDescription>(new DescribeImage(B), Soon)).Users);
        _still.Advance(AssignmentDuration / 10);
        await AwaitAssertAsync(async () => Assert.Empty((await _images.Ask<ImageDescription>(new DescribeImage(B), Soon)).Users), TimeSpan.FromSeconds(30));
        // Given back, not run out.
        Assert.True(AssignmentDuration / 10 < LeaseDuration);
    }

    private async Task DoAsync(IActorRef job, string finding)
    {
        ShardTask task = await TaskAsync(job);
        await job.Ask<JobDone>(new CompleteShards("j", default, task.Assignment, [new ShardResult { Shard = 0, Detail = finding }]), Soon);
    }

    private async Task StopAsync(IActorRef job)
    {
        Watch(job);
        job.Tell(StopRecord.Instance);
        await ExpectTerminatedAsync(job, Soon);
    }

    private async Task<JobSummary> EndAsync(IActorRef job)
    {
        JobSummary? seen = null;
        await AwaitAssertAsync(
            async () =>
            {
                seen = (await job.Ask<JobDescription>(new DescribeJob("j"), Soon)).Summary;
                Assert.True(seen.HasEnded, seen.Reason);
            },
            TimeSpan.FromSeconds(30));
        return seen!;
    }

    // Once it offers something.
    private async Task<ShardTask> TaskAsync(IActorRef job)
    {
        TestProbe worker = CreateTestProbe();
        await _scheduler.FishForMessageAsync<WorkOffered>(offer => offer.Waiting > 0, TimeSpan.FromSeconds(30));
        job.Tell(new GiveWork("j", "w/1", ++_gifts), worker);
        return await worker.ExpectMsgAsync<ShardTask>(Soon);
    }

    private IActorRef Start()
    {
        var settings = new ImageClusterSettings
        {
            Heartbeat = TimeSpan.FromMilliseconds(200),
            RetryAfter = TimeSpan.FromMilliseconds(100),
            LeaseDuration = LeaseDuration,
            AssignmentDuration = AssignmentDuration,
        };
        TimeProvider time = _time;
        IActorRef images = _images, scheduler = _scheduler, others = _others;
        var keepers = new RecordKeepers(() => images, () => others, () => others, () => others, () => scheduler);
        return Sys.ActorOf(Props.Create(() => new JobActor("j", settings, keepers, time)));
    }

    /// <summary>Messages of this type are kept until another is named, and go on then; null for none.</summary>
    private sealed record HoldBack(Type? Type) : INoSerializationVerificationNeeded;

    /// <summary>Stands for the images' region.</summary>
    private sealed class ImageRouter : ReceiveActor, IWithUnboundedStash
    {
        private Type? _held;

        public ImageRouter(Func<TimeProvider> time)
        {
            Receive<HoldBack>(hold =>
            {
                _held = hold.Type;
                Stash.UnstashAll();
                Sender.Tell(hold);
            });
            ReceiveAny(message =>
            {
                if (message.GetType() == _held)
                {
                    Stash.Stash();
                    return;
                }

                string key = RecordExtractor.ForImages(1).EntityId(message)!;
                IActorRef image = Context.Child(key);
                (image.IsNobody() ? Context.ActorOf(Props.Create(() => new ImageActor(key, new ImageClusterSettings(), time())), key) : image).Forward(message);
            });
        }

        public IStash Stash { get; set; } = null!;
    }
}
