using Akka.Actor;

namespace ImageCluster.Cluster.Membership;

/// <summary>How a node comes into its cluster.</summary>
public static class ClusterEntry
{
    /// <summary>Joins the cluster that any of the seeds is in. Where none is in any, the first of the list forms one: see <see cref="ClusterEntryActor"/>.</summary>
    /// <param name="system">The node's.</param>
    /// <param name="seeds">The same list on every node; empty for a cluster of its own.</param>
    public static void Enter(ActorSystem system, IReadOnlyList<Address> seeds) => Enter(system, seeds, ClusterEntryActor.DefaultSilence);

    internal static void Enter(ActorSystem system, IReadOnlyList<Address> seeds, TimeSpan silence)
    {
        var cluster = Akka.Cluster.Cluster.Get(system);
        if (seeds.All(seed => seed == cluster.SelfAddress))
        {
            cluster.Join(cluster.SelfAddress);
        }
        else
        {
            system.ActorOf(Props.Create(() => new ClusterEntryActor(seeds, silence, TimeProvider.System)), ClusterEntryActor.Name);
        }
    }
}
