using Akka.Actor;
using Akka.Cluster;
using Akka.Configuration;
using ImageCluster.Cluster.Membership;

namespace ImageCluster.Cluster.Tests.Membership;

/// <summary>Several actor systems in this process that come into a cluster.</summary>
public sealed class ClusterEntryTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(3);
    private readonly List<ActorSystem> _systems = [];

    [Fact]
    public async Task The_first_seed_forms_no_cluster_alone_but_with_a_majority()
    {
        ActorSystem[] nodes = [Start(), Start(), Start()];
        Address[] seeds = [.. nodes.Select(AddressOf)];
        // As if it had been cut off and started again: it hears nobody.
        await nodes[1].Terminate();
        await nodes[2].Terminate();
        ClusterEntry.Enter(nodes[0], seeds, Silence);
        await Task.Delay(Silence * 3);
        Assert.Empty(Akka.Cluster.Cluster.Get(nodes[0]).State.Members);

        ActorSystem second = Start(seeds[1].Port!.Value);
        ClusterEntry.Enter(second, seeds, Silence);
        await UpAsync(nodes[0], second);
    }

    [Fact]
    public async Task All_that_start_together_are_one_cluster_and_a_node_that_is_no_seed_joins_it()
    {
        ActorSystem[] nodes = [Start(), Start(), Start(), Start()];
        Address[] seeds = [.. nodes.Take(3).Select(AddressOf)];
        foreach (ActorSystem node in nodes)
        {
            ClusterEntry.Enter(node, seeds);
        }

        await UpAsync(nodes);
    }

    [Fact]
    public async Task The_first_seed_joins_a_cluster_that_another_one_is_in()
    {
        ActorSystem[] nodes = [Start(), Start(), Start()];
        Address[] seeds = [.. nodes.Select(AddressOf)];
        Akka.Cluster.Cluster.Get(nodes[1]).Join(seeds[1]);
        ClusterEntry.Enter(nodes[2], seeds, Silence);
        ClusterEntry.Enter(nodes[0], seeds, Silence);
        await UpAsync(nodes);
    }

    [Fact]
    public async Task A_node_without_others_is_a_cluster_of_its_own()
    {
        ActorSystem alone = Start();
        ClusterEntry.Enter(alone, []);
        ActorSystem named = Start();
        ClusterEntry.Enter(named, [AddressOf(named)]);
        await UpAsync(alone);
        await UpAsync(named);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ActorSystem system in _systems)
        {
            await system.Terminate();
        }
    }

    private static Address AddressOf(ActorSystem system) => Akka.Cluster.Cluster.Get(system).SelfAddress;

    private ActorSystem Start(int port = 0)
    {
        ActorSystem system = ActorSystem.Create("imagecluster", ConfigurationFactory.ParseString($$"""
            akka {
              loglevel = ERROR
              stdout-loglevel = ERROR
              actor.provider = cluster
              coordinated-shutdown.run-by-actor-system-terminate = off
              remote.dot-netty.tcp { hostname = 127.0.0.1, port = {{port}} }
              remote.retry-gate-closed-for = 500ms
              cluster.seed-node-timeout = 1s
              cluster.gossip-interval = 200ms
              cluster.leader-actions-interval = 200ms
              cluster.failure-detector.acceptable-heartbeat-pause = 60s
            }
            """));
        _systems.Add(system);
        return system;
    }

    // All of them are up, in one cluster.
    private static async Task UpAsync(params ActorSystem[] systems)
    {
        using var patience = new CancellationTokenSource(Patience);
        foreach (ActorSystem system in systems)
        {
            while (Akka.Cluster.Cluster.Get(system).State.Members.Count(member => member.Status == MemberStatus.Up) != systems.Length)
            {
                Assert.False(patience.IsCancellationRequested, $"{system} sees {string.Join(", ", Akka.Cluster.Cluster.Get(system).State.Members)}");
                await Task.Delay(50);
            }
        }
    }
}
