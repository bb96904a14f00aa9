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
using ImageCluster.Jobs.Manifests;
using Xunit.Abstractions;

namespace ImageCluster.Cluster.Tests.Jobs;

/// <summary>One job's actor with real image actors, under a journal that fails and waits; the test plays scheduler and worker.</summary>
public sealed class JobActorFaults : ActorTest
{
    private static readonly ImageName A = new("kvm", "a");
    private static readonly ImageName B = new("kvm", "b");
    private static readonly ConvertSpec Spec = new() { Source = A, Target = B, TargetFormat = "raw", Verify = VerifyMode.None };
    private readonly TestProbe _scheduler;
    private readonly TestProbe _others;
    private readonly IActorRef _images;
    private int _gifts;

    public JobActorFaults(ITestOutputHelper output)
        : base(output, serializesMessages: false)
    {
        (_scheduler, _others) = (CreateTestProbe(), CreateTestProbe());
        _images = Sys.ActorOf(Props.Create(() => new ImageRouter()));
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
        var findings = new ProbeFindings { Geometry = new JobGeometry(2L << 29, 1L << 29, true), Chains = [new ProbedChain(A, [new ProbedImage(A, "raw", 2L << 29)])] };
        var done = new CompleteShards("j", default, probe.Assignment, [new ShardResult { Shard = 0, Detail = FindingsCodec.Encode(findings) }]);

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
        await _images.Ask<ImageDone>(new ImageCluster.Jobs.Images.RevokeUse(B, default, probe.TargetToken, "ann", "stuck"), Soon);
        await AwaitAssertAsync(
            async () =>
            {
                JobDescription seen = await job.Ask<JobDescription>(new DescribeJob("j"), Soon);
                Assert.Contains("taken away by ann: stuck", seen.Summary.Reason, StringComparison.Ordinal);
            },
            TimeSpan.FromSeconds(30));
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
            LeaseDuration = TimeSpan.FromSeconds(2),
        };
        IActorRef images = _images, scheduler = _scheduler, others = _others;
        var keepers = new RecordKeepers(() => images, () => others, () => others, () => others, () => scheduler);
        return Sys.ActorOf(Props.Create(() => new JobActor("j", settings, keepers, TimeProvider.System)));
    }

    /// <summary>Stands for the images' region.</summary>
    private sealed class ImageRouter : ReceiveActor
    {
        public ImageRouter() => ReceiveAny(message =>
        {
            string key = RecordExtractor.ForImages(1).EntityId(message)!;
            IActorRef image = Context.Child(key);
            (image.IsNobody() ? Context.ActorOf(Props.Create(() => new ImageActor(key, new ImageClusterSettings(), TimeProvider.System)), key) : image).Forward(message);
        });
    }
}
