using Akka.Actor;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Cluster.Tests.Hosting;

public sealed class ShardCoordinatorWatchTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Records_start_again_after_the_store_of_remembered_shards_was_lost()
    {
        await using TestNode node = await TestNode.StartAsync(_directory["journal.db"]);
        await SubmitAsync(node, "first");
        string coordinator = ShardCoordinatorWatch.PathOf(ImageClusterHosting.JobRegion);
        IActorRef store = await node.System.ActorSelection($"{coordinator}/RememberEntitiesStore").ResolveOne(TestNode.Patience);
        // As it stops by itself where the journal is down when it starts.
        await store.GracefulStop(TestNode.Patience);
        // In shards that are not placed yet.
        for (int i = 0; i < 20; i++)
        {
            await SubmitAsync(node, $"job{i}");
        }
    }

    private static Task<JobDone> SubmitAsync(TestNode node, string id) =>
        node.SubmitAsync(id, new CompareSpec { First = new ImageName("kvm", "a.img"), Second = new ImageName("kvm", "b.img") });
}
