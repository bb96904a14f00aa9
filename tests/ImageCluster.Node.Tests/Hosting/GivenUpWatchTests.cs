using Akka.Actor;
using Akka.Cluster;
using Akka.Configuration;
using ImageCluster.Node.Hosting;

namespace ImageCluster.Node.Tests.Hosting;

public sealed class GivenUpWatchTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private readonly List<ActorSystem> _systems = [];

    [Fact]
    public async Task A_node_that_was_downed_and_is_still_there_is_noticed()
    {
        Akka.Cluster.Cluster node = await StartAsync("coordinator");
        Task noticed = Watch(node);
        node.Down(node.SelfAddress);
        await noticed.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_worker_that_is_left_without_a_coordinator_is_noticed_and_one_that_has_one_is_not()
    {
        Akka.Cluster.Cluster coordinator = await StartAsync("coordinator");
        Akka.Cluster.Cluster worker = await StartAsync("worker", coordinator.SelfAddress);
        Task noticed = Watch(worker);
        await Task.Delay(3000);
        Assert.False(noticed.IsCompleted);
        coordinator.Leave(coordinator.SelfAddress);
        await noticed.WaitAsync(Patience);
        Assert.Equal(MemberStatus.Up, worker.SelfMember.Status);
    }

    // As a leader that removed itself with all others: the next one who wants to join makes it a member again, without regions and singletons.
    [Fact]
    public async Task A_node_that_was_removed_and_is_a_member_again_is_noticed()
    {
        Akka.Cluster.Cluster node = await StartAsync("coordinator");
        Task noticed = Watch(node);
        await Task.Delay(3000);
        Assert.False(noticed.IsCompleted);
        // Akka cannot be brought to it at will: whoever listens for this is told so, again until the listener is there. The node is a member all the while.
        var removed = new ClusterEvent.MemberRemoved(node.SelfMember.Copy(MemberStatus.Removed), MemberStatus.Down);
        for (int i = 0; i < Patience.TotalSeconds && !noticed.IsCompleted; i++)
        {
            node.System.ActorSelection("/system/cluster/*").Tell(removed);
            await Task.WhenAny(noticed, Task.Delay(1000));
        }

        await noticed.WaitAsync(Patience);
        Assert.Equal(MemberStatus.Up, node.SelfMember.Status);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ActorSystem system in _systems)
        {
            await system.Terminate();
        }
    }

    private static Task Watch(Akka.Cluster.Cluster node) => Task.Factory.StartNew(
        () => GivenUpWatch.Wait(node.System, TimeSpan.FromSeconds(1), TimeProvider.System), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    // Nothing else ends it.
    private async Task<Akka.Cluster.Cluster> StartAsync(string role, Address? join = null)
    {
        ActorSystem system = ActorSystem.Create("imagecluster", ConfigurationFactory.ParseString($$"""
            akka {
              stdout-loglevel = OFF
              loglevel = OFF
              actor.provider = cluster
              remote.dot-netty.tcp { hostname = 127.0.0.1, port = 0 }
              cluster.roles = [{{role}}]
              cluster.run-coordinated-shutdown-when-down = off
              cluster.failure-detector.acceptable-heartbeat-pause = 60s
            }
            """));
        _systems.Add(system);
        var cluster = Akka.Cluster.Cluster.Get(system);
        await cluster.JoinAsync(join ?? cluster.SelfAddress, new CancellationTokenSource(Patience).Token);
        while (cluster.SelfMember.Status != MemberStatus.Up)
        {
            await Task.Delay(50);
        }

        return cluster;
    }
}
