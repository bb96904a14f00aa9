using Akka.Cluster.Hosting.SBR;
using ImageCluster.Cluster.Hosting;

namespace ImageCluster.Cluster.Membership;

/// <summary>
/// Which part of a cluster goes on where nodes lose sight of each other. Only coordinators count: workers come and go, and where records are kept decides.
/// </summary>
public static class SplitBrain
{
    // With two, the loss of either would stop the other.
    private const int FewestForQuorum = 3;

    /// <summary>
    /// More than half of the coordinators that seeds name, where these are three or more; else null. Counted against a number that does not change, a cluster that
    /// loses its coordinators one after the other stops before a lone one goes on, beside which those that come back could form a second cluster.
    /// </summary>
    public static int? QuorumOf(int seeds) => seeds >= FewestForQuorum ? MajorityOf(seeds) : null;

    /// <summary>More than half.</summary>
    public static int MajorityOf(int seeds) => seeds / 2 + 1;

    /// <param name="quorum">So many coordinators go on; null: the majority of those seen last.</param>
    public static SplitBrainResolverOption Resolver(int? quorum) => quorum is { } size
        ? new StaticQuorumOption { QuorumSize = size, Role = ImageClusterSettings.CoordinatorRole }
        : new KeepMajorityOption { Role = ImageClusterSettings.CoordinatorRole };
}
