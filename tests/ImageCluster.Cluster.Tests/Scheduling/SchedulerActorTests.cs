using Akka.Actor;
using Akka.TestKit;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Scheduling;
using ImageCluster.Cluster.Tests.Support;
using Xunit.Abstractions;

namespace ImageCluster.Cluster.Tests.Scheduling;

public sealed class SchedulerActorTests(ITestOutputHelper output) : ActorTest(output)
{
    private static readonly WorkOffered Offer = new("j", 50, 1, 0, ["kvm"], 0);

    [Fact]
    public async Task To_the_job_a_gift_looks_as_if_the_worker_had_asked()
    {
        IActorRef scheduler = Start();
        TestProbe job = CreateTestProbe(), worker = CreateTestProbe();
        scheduler.Tell(Offer, job);
        scheduler.Tell(new WorkWanted("w/1", 1, ["kvm"]), worker);
        Assert.Equal(new GiveWork("j", "w/1", 1) { Share = 1 }, await job.ExpectMsgAsync<GiveWork>(Soon));
        job.Reply("task");
        await worker.ExpectMsgAsync("task", Soon);
    }

    [Fact]
    public async Task It_says_what_waits_and_who_is_there()
    {
        IActorRef scheduler = Start();
        TestProbe job = CreateTestProbe(), worker = CreateTestProbe();
        scheduler.Tell(Offer with { Waiting = 7, InWork = 2 }, job);
        scheduler.Tell(new WorkWanted("w/1", 1, ["kvm"]) { Slots = 3 }, worker);
        await job.ExpectMsgAsync<GiveWork>(Soon);
        QueueDescription queue = await scheduler.Ask<QueueDescription>(new DescribeQueue(), Soon);
        WorkerDescription known = Assert.Single(queue.Workers);
        Assert.Equal(("w/1", "", 3, 0, "kvm"), (known.Worker, known.Address, known.Slots, known.FreeSlots, string.Join(",", known.Roots)));
        // The gift is on its way.
        Assert.Equal((1, 6, 3), (queue.Jobs, queue.Waiting, queue.InWork));
    }

    [Fact]
    public async Task A_worker_that_died_gets_nothing_and_its_next_self_does()
    {
        IActorRef scheduler = Start();
        TestProbe job = CreateTestProbe(), dead = CreateTestProbe(), next = CreateTestProbe();
        // With slots enough for every try below: it is forgotten, not full.
        scheduler.Tell(new WorkWanted("w/1", 1000, ["kvm"]), dead);
        Sys.Stop(dead);
        int tries = 0;
        await AwaitAssertAsync(
            async () =>
            {
                TestProbe early = CreateTestProbe();
                scheduler.Tell(Offer with { JobId = $"early-{tries++}", Priority = 1 }, early);
                await early.ExpectNoMsgAsync(TimeSpan.FromMilliseconds(200));
            },
            Soon);
        scheduler.Tell(Offer, job);
        await job.ExpectNoMsgAsync(TimeSpan.FromMilliseconds(100));
        scheduler.Tell(new WorkWanted("w/2", 1, ["kvm"]), next);
        Assert.Equal("w/2", (await job.ExpectMsgAsync<GiveWork>(Soon)).Worker);
    }

    [Fact]
    public async Task A_job_that_was_restarted_counts_anew()
    {
        IActorRef scheduler = Start();
        TestProbe before = CreateTestProbe(), after = CreateTestProbe(), worker = CreateTestProbe();
        scheduler.Tell(Offer, before);
        scheduler.Tell(new WorkWanted("w/1", 2, ["kvm"]), worker);
        await before.ExpectMsgAsync<GiveWork>(Soon);
        scheduler.Tell(Offer, after);
        Assert.Equal(1, (await after.ExpectMsgAsync<GiveWork>(Soon)).Number);
    }

    private IActorRef Start() => Sys.ActorOf(Props.Create(() => new SchedulerActor(new ImageClusterSettings(), TimeProvider.System)));
}
