using System.Collections.Immutable;
using Akka.Actor;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;
using Xunit.Abstractions;

namespace ImageCluster.Cluster.Tests.Images;

/// <summary>Many commands, restarts and a journal that fails now and then: what was acknowledged is true, and the use rule holds.</summary>
public sealed class ImageActorFaults(ITestOutputHelper output) : ActorTest(output)
{
    private static readonly UsePurpose[] Purposes = [UsePurpose.Read, UsePurpose.Read, UsePurpose.Fill, UsePurpose.Commit, UsePurpose.Resize];
    private readonly ManualTime _time = new();
    private ImageClusterSettings _settings = new();

    [Theory]
    [InlineData(1, 500)]
    [InlineData(2, 500)]
    [InlineData(3, 500)]
    [InlineData(4, 7)]
    [InlineData(5, 3)]
    [InlineData(6, 1)]
    public async Task Whatever_fails_every_acknowledged_lease_is_there_and_a_modifier_is_alone(int seed, int snapshotEvery)
    {
        _settings = new ImageClusterSettings { SnapshotEvery = snapshotEvery };
        var random = new Random(seed);
        var image = new ImageName("kvm", $"{seed}.qcow2");
        var granted = new Dictionary<long, UsePurpose>();
        long lastToken = 0;
        int lost = 0;
        IActorRef actor = Start(image);
        for (int step = 0; step < 150; step++)
        {
            bool fails = random.Next(10) == 0;
            bool losesSnapshots = random.Next(3) == 0;
            await FaultyJournal.SetSnapshots(Sys, losesSnapshots ? FaultyJournal.Mode.Fail : FaultyJournal.Mode.Pass);
            await FaultyJournal.Set(Sys, fails ? FaultyJournal.Mode.Fail : FaultyJournal.Mode.Pass);
            bool takes = granted.Count == 0 || random.Next(3) != 0;
            ImageCommand command = takes
                ? new TakeUse(image, default, $"job-{step}", Purposes[random.Next(Purposes.Length)], TimeSpan.FromHours(1), "", ImmutableList<ImageName>.Empty)
                : new EndUse(image, default, granted.Keys.ElementAt(random.Next(granted.Count)));
            Watch(actor);
            actor.Tell(command, TestActor);
            object answer = await FishForMessageAsync(message => message is ImageReply or Terminated, Soon);
            await FaultyJournal.Set(Sys, FaultyJournal.Mode.Pass);
            // What is saved and deleted after an answer is still on its way now and then when the actor is stopped.
            await FaultyJournal.SetSnapshots(Sys, FaultyJournal.Mode.Pass);
            switch (answer)
            {
                case UseGranted use:
                    Assert.True(use.Token > lastToken);
                    lastToken = use.Token;
                    granted.Add(use.Token, ((TakeUse)command).Purpose);
                    break;
                case ImageDone:
                    granted.Remove(((EndUse)command).Token);
                    break;
                case Terminated:
                    Assert.True(fails || losesSnapshots);
                    lost++;
                    actor = Start(image);
                    break;
            }

            if (answer is not Terminated)
            {
                Unwatch(actor);
                if (random.Next(8) == 0)
                {
                    await actor.GracefulStop(Soon, StopRecord.Instance);
                    actor = Start(image);
                }
            }

            Assert.True(granted.Count <= 1 || granted.Values.All(purpose => purpose == UsePurpose.Read));
            ImageDescription seen = await actor.Ask<ImageDescription>(new DescribeImage(image), Soon);
            Assert.Equal(granted.OrderBy(pair => pair.Key), seen.Users.Select(user => KeyValuePair.Create(user.Token, user.Purpose)));
        }

        Assert.True(lost > 0 && lastToken > 10, $"{lost} lost, {lastToken} granted");
        Assert.InRange(await FaultyJournal.CountSnapshots(Sys, ImageActor.PersistenceIdOf(image.Key)), snapshotEvery > 100 ? 0 : 1, snapshotEvery > 100 ? 0 : 10);
    }

    private IActorRef Start(ImageName image) => Sys.ActorOf(Props.Create(() => new ImageActor(image.Key, _settings, _time)));
}
