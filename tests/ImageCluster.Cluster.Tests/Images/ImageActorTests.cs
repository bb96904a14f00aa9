using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.TestKit;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Tests;
using Xunit.Abstractions;

namespace ImageCluster.Cluster.Tests.Images;

public sealed class ImageActorTests(ITestOutputHelper output) : ActorTest(output)
{
    private static readonly ImageName Image = new("kvm", "a.qcow2");
    private static readonly FillLayout Layout = new() { Shards = 3, RoomStart = 4096, RoomAlignment = 64 };
    private readonly ManualTime _time = new();

    [Fact]
    public async Task Nothing_is_acknowledged_before_it_is_stored()
    {
        IActorRef actor = Start(Image);
        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Hold);
        actor.Tell(Take(Image, "a", UsePurpose.Fill), TestActor);
        actor.Tell(new DescribeImage(Image), TestActor);
        await ExpectNoMsgAsync(TimeSpan.FromMilliseconds(300));
        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Pass);
        Assert.Equal(new UseGranted(Image, 1, TimeSpan.FromSeconds(60)), await ExpectMsgAsync<UseGranted>(Soon));
        Assert.Single((await ExpectMsgAsync<ImageDescription>(Soon)).Users);
    }

    [Fact]
    public async Task An_event_of_an_unknown_version_makes_the_record_refuse_everything_and_say_why()
    {
        IActorRef actor = Start(Image);
        await Ask<UseGranted>(actor, Take(Image, "a", UsePurpose.Read));
        await actor.GracefulStop(Soon, StopRecord.Instance);
        await WriteNewerAsync(ImageActor.PersistenceIdOf(Image.Key), new DependentAdded(new ImageName("kvm", "b.qcow2")));
        actor = Start(Image);
        foreach (object message in new object[] { Take(Image, "c", UsePurpose.Read), new DescribeImage(Image) })
        {
            Refusal refusal = (await Ask<ImageRefused>(actor, message)).Refusal;
            Assert.Equal(RefusalKind.Conflict, refusal.Kind);
            Assert.Contains("image.dependent-added.v99", refusal.Message, StringComparison.Ordinal);
            Assert.Contains("newer version", refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_comes_behind_an_event_that_cannot_be_read_builds_on_it_and_is_left_alone()
    {
        string id = ImageActor.PersistenceIdOf(Image.Key);
        await WriteNewerAsync(id, new LeaseGranted(1, "a", UsePurpose.Fill, "", default, TimeSpan.FromSeconds(60)));
        IActorRef writer = Sys.ActorOf(Props.Create(() => new EventWriter(id)));
        await writer.Ask<object>(new LeaseRenewed(1, default), Soon);
        await writer.GracefulStop(Soon);
        Refusal refusal = (await Ask<ImageRefused>(Start(Image), new DescribeImage(Image))).Refusal;
        Assert.Contains("image.lease-granted.v99", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_journal_that_fails_costs_the_answer_but_no_state_and_the_next_message_finds_it_as_it_was()
    {
        IActorRef actor = Start(Image);
        long token = (await Ask<UseGranted>(actor, Take(Image, "a", UsePurpose.Fill))).Token;
        await Ask<ImageDone>(actor, new StartFill(Image, default, token, Layout));
        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Fail);
        Watch(actor);
        actor.Tell(new GrantRoom(Image, default, token, 1, 0, 640, 64), TestActor);
        Assert.Equal(actor, (await ExpectMsgAsync<Terminated>(Soon)).ActorRef);
        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Pass);
        actor = Start(Image);
        Assert.Equal(token, Assert.Single((await Ask<ImageDescription>(actor, new DescribeImage(Image))).Users).Token);
        Assert.Equal(4096, (await Ask<RoomGiven>(actor, new GrantRoom(Image, default, token, 1, 0, 640, 64))).Room.Start);
        await ExpectNoMsgAsync(TimeSpan.FromMilliseconds(50));
    }

    [Fact]
    public async Task A_restarted_actor_knows_what_it_knew_and_grants_no_room_twice()
    {
        IActorRef actor = Start(Image);
        long token = (await Ask<UseGranted>(actor, Take(Image, "a", UsePurpose.Fill))).Token;
        await Ask<ImageDone>(actor, new AddDependent(Image, default, new ImageName("kvm", "b.qcow2")));
        await Ask<ImageDone>(actor, new StartFill(Image, default, token, Layout));
        RoomGrant first = (await Ask<RoomGiven>(actor, new GrantRoom(Image, default, token, 1, 0, 640, 64))).Room;
        await Ask<ImageDone>(actor, new PublishShards(Image, default, token, 1, [new ShardManifest(1, [first.Start], [new RoomExtent(first.Start, 64)], 64)]));
        ImageDescription live = await Ask<ImageDescription>(actor, new DescribeImage(Image));

        actor = await Restart(actor);
        ImageDescription recovered = await Ask<ImageDescription>(actor, new DescribeImage(Image));
        Assert.Equal(StateText.Of(live), StateText.Of(recovered));
        Assert.Equal(1, recovered.Published);
        Assert.Equal(first, (await Ask<RoomGiven>(actor, new GrantRoom(Image, default, token, 1, 0, 640, 64))).Room);
        RoomGrant second = (await Ask<RoomGiven>(actor, new GrantRoom(Image, default, token, 2, 0, 640, 64))).Room;
        Assert.True(second.Start >= first.End);
    }

    [Fact]
    public async Task After_a_restart_a_lease_holds_for_its_full_duration_again()
    {
        IActorRef actor = Start(Image);
        await Ask<UseGranted>(actor, Take(Image, "a", UsePurpose.Read));
        _time.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal(TimeSpan.FromSeconds(10), Assert.Single((await Ask<ImageDescription>(actor, new DescribeImage(Image))).Users).Remaining);
        actor = await Restart(actor);
        Assert.Equal(TimeSpan.FromSeconds(60), Assert.Single((await Ask<ImageDescription>(actor, new DescribeImage(Image))).Users).Remaining);
    }

    [Fact]
    public async Task A_lease_that_is_not_renewed_runs_out_and_its_token_counts_no_more()
    {
        IActorRef actor = Start(Image);
        long lost = (await Ask<UseGranted>(actor, Take(Image, "a", UsePurpose.Fill))).Token;
        Assert.Equal(RefusalKind.InUse, (await Ask<ImageRefused>(actor, Take(Image, "b", UsePurpose.Fill))).Refusal.Kind);
        _time.Advance(TimeSpan.FromSeconds(40));
        Assert.Equal(TimeSpan.FromSeconds(60), (await Ask<UseGranted>(actor, new RenewUse(Image, default, lost))).Remaining);
        _time.Advance(TimeSpan.FromSeconds(60));
        long next = (await Ask<UseGranted>(actor, Take(Image, "b", UsePurpose.Fill))).Token;
        Assert.True(next > lost);
        Assert.Equal(RefusalKind.Stale, (await Ask<ImageRefused>(actor, new StartFill(Image, default, lost, Layout))).Refusal.Kind);
    }

    [Fact]
    public async Task A_deadline_is_kept_without_anybody_asking()
    {
        IActorRef actor = Sys.ActorOf(Props.Create(() => new ImageActor(Image.Key, new ImageClusterSettings(), TimeProvider.System)));
        await Ask<UseGranted>(actor, Take(Image, "a", UsePurpose.Fill) with { Duration = TimeSpan.FromMilliseconds(200) });
        await AwaitAssertAsync(async () => Assert.Empty((await Ask<ImageDescription>(actor, new DescribeImage(Image))).Users), Soon);
    }

    [Fact]
    public async Task Told_to_stop_it_first_stores_and_answers_what_it_has_begun()
    {
        IActorRef actor = Start(Image);
        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Hold);
        Watch(actor);
        actor.Tell(Take(Image, "a", UsePurpose.Fill), TestActor);
        actor.Tell(StopRecord.Instance);
        await ExpectNoMsgAsync(TimeSpan.FromMilliseconds(200));
        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Pass);
        await ExpectMsgAsync<UseGranted>(Soon);
        await ExpectMsgAsync<Terminated>(Soon);
    }

    [Fact]
    public async Task It_leaves_memory_when_idle_but_not_while_somebody_holds_the_image()
    {
        TestProbe parent = CreateTestProbe();
        var settings = new ImageClusterSettings { IdleAfter = TimeSpan.FromMilliseconds(100) };
        IActorRef actor = parent.ChildActorOf(Props.Create(() => new ImageActor(Image.Key, settings, _time)));
        long token = (await Ask<UseGranted>(actor, Take(Image, "a", UsePurpose.Read))).Token;
        await parent.ExpectNoMsgAsync(TimeSpan.FromMilliseconds(500));
        await Ask<ImageDone>(actor, new EndUse(Image, default, token));
        Assert.IsType<StopRecord>((await parent.ExpectMsgAsync<Passivate>(Soon)).StopMessage);
    }

    [Fact]
    public async Task In_every_pairing_of_purposes_nobody_modifies_beside_another_user()
    {
        foreach (UsePurpose first in Enum.GetValues<UsePurpose>())
        {
            foreach (UsePurpose second in Enum.GetValues<UsePurpose>())
            {
                var image = new ImageName("kvm", $"{first}-{second}");
                IActorRef actor = Start(image);
                long token = (await Ask<UseGranted>(actor, Take(image, "a", first))).Token;
                ImageReply reply = await Ask<ImageReply>(actor, Take(image, "b", second));
                if (first == UsePurpose.Read && second == UsePurpose.Read)
                {
                    Assert.IsType<UseGranted>(reply);
                }
                else
                {
                    Refusal refusal = Assert.IsType<ImageRefused>(reply).Refusal;
                    Assert.Equal(RefusalKind.InUse, refusal.Kind);
                    Assert.Contains(image.ToString(), refusal.Message, StringComparison.Ordinal);
                    await Ask<ImageDone>(actor, new EndUse(image, default, token));
                    Assert.True((await Ask<UseGranted>(actor, Take(image, "b", second))).Token > token);
                }

                Sys.Stop(actor);
            }
        }
    }

    [Fact]
    public async Task Only_the_actor_itself_says_that_it_was_restarted() =>
        Assert.Equal(RefusalKind.Invalid, (await Ask<ImageRefused>(Start(Image), new RestartUses(Image, default))).Refusal.Kind);

    private static TakeUse Take(ImageName image, string holder, UsePurpose purpose) =>
        new(image, default, holder, purpose, TimeSpan.FromSeconds(60), "", ImmutableList<ImageName>.Empty);

    private static Task<T> Ask<T>(IActorRef actor, object message) => actor.Ask<T>(message, Soon);

    private IActorRef Start(ImageName image) => Sys.ActorOf(Props.Create(() => new ImageActor(image.Key, new ImageClusterSettings(), _time)));

    private async Task<IActorRef> Restart(IActorRef actor)
    {
        await actor.GracefulStop(Soon, StopRecord.Instance);
        return Start(Image);
    }
}
