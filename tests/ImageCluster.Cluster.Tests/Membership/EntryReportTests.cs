using Akka.Actor;
using ImageCluster.Cluster.Membership;

namespace ImageCluster.Cluster.Tests.Membership;

public class EntryReportTests
{
    private static readonly Address First = new("akka.tcp", "imagecluster", "one", 4053);
    private static readonly Address Second = new("akka.tcp", "imagecluster", "two", 4053);
    private static readonly Address Third = new("akka.tcp", "imagecluster", "three", 4053);
    private static readonly Address Worker = new("akka.tcp", "imagecluster", "four", 4053);

    [Fact]
    public void Who_waits_for_the_first_seed_says_so_and_who_does_not_answer() => Assert.Equal(
        "There is no cluster to join yet. one:4053, the first of cluster.seeds, forms it when 2 of the 3 seeds wait for it; so far: 2; no answer from one:4053: start what is not running, " +
        "or look whether this node reaches it",
        EntryReport.Of([First, Second, Third], Second, new Dictionary<Address, bool> { [Third] = true }));

    [Fact]
    public void The_first_seed_says_whom_it_misses() => Assert.Equal(
        "There is no cluster to join yet. This node, the first of cluster.seeds, forms it when 2 of the 3 seeds wait for it; so far: 1; no answer from two:4053, three:4053: start what is " +
        "not running, or look whether this node reaches it",
        EntryReport.Of([First, Second, Third], First, new Dictionary<Address, bool>()));

    [Fact]
    public void A_worker_counts_the_seeds_alone() => Assert.StartsWith(
        "There is no cluster to join yet. one:4053, the first of cluster.seeds, forms it when 1 of the 1 seeds wait for it; so far: 1", EntryReport.Of([First], Worker, new Dictionary<Address, bool> { [First] = true }),
        StringComparison.Ordinal);

    [Fact]
    public void Where_there_is_a_cluster_it_says_who_is_in_it() => Assert.Equal(
        "two:4053 is in a cluster and has not let this node in yet: it lets nobody in while it has lost sight of one of its members",
        EntryReport.Of([First, Second, Third], First, new Dictionary<Address, bool> { [Second] = false, [Third] = true }));
}
