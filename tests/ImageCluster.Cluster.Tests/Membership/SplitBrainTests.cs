using System.Collections.Immutable;
using Akka.Cluster.Hosting.SBR;
using ImageCluster.Cluster.Membership;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Cluster.Tests.Membership;

public sealed class SplitBrainTests : IDisposable
{
    private static readonly ImageName Image = new("kvm", "a");
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_quorum_is_more_than_half_of_three_seeds_or_more() =>
        Assert.Equal([null, null, null, 2, 3, 3, 4], Enumerable.Range(0, 7).Select(SplitBrain.QuorumOf));

    [Fact]
    public async Task With_a_quorum_workers_come_and_go_and_one_coordinator_may_be_lost_but_a_lone_one_ends()
    {
        var roots = new Dictionary<string, string> { ["kvm"] = "/nowhere" };
        await using TestNode first = await StartAsync(null);
        await using TestNode second = await StartAsync(first);
        await using TestNode third = await StartAsync(first);
        await using TestNode worker = await StartAsync(first, roots);
        await using TestNode other = await StartAsync(first, roots);
        await MembersAsync(first, 5);

        // More workers are lost at once than coordinators are left.
        await Task.WhenAll(worker.KillAsync(), other.KillAsync(), third.KillAsync());
        await MembersAsync(first, 2);
        await TestNode.AskAsync<UseGranted>(first.Images, new TakeUse(Image, default, "j", UsePurpose.Fill, TimeSpan.FromMinutes(1), "", ImmutableList<ImageName>.Empty));
        Assert.False(second.System.WhenTerminated.IsCompleted);

        await second.KillAsync();
        await first.System.WhenTerminated.WaitAsync(TestNode.Patience);
    }

    private static Task<int> MembersAsync(TestNode node, int count) => TestNode.UntilAsync(
        () => Task.FromResult(Akka.Cluster.Cluster.Get(node.System).State.Members.Count), members => members == count, members => $"{members} members");

    private Task<TestNode> StartAsync(TestNode? seed, Dictionary<string, string>? roots = null)
    {
        SplitBrainResolverOption resolver = SplitBrain.Resolver(SplitBrain.QuorumOf(3));
        return TestNode.StartAsync(_directory["journal.db"], seed, coordinator: roots is null, roots: roots, runner: new SimulatedRunner(), resolver: resolver);
    }
}
