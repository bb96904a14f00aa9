namespace ImageCluster.Cluster.Hosting;

/// <summary>How the actors of a cluster are run. The same on every node.</summary>
public sealed record ImageClusterSettings
{
    /// <summary>The role of nodes that keep records.</summary>
    public const string CoordinatorRole = "coordinator";

    /// <summary>The role of nodes that do shards.</summary>
    public const string WorkerRole = "worker";

    /// <summary>
    /// Parts that the records are divided into to be spread over coordinators: some ten for each. It must not change while a cluster runs.
    /// </summary>
    public int Partitions { get; init; } = 100;

    /// <summary>A record that nothing hangs on leaves memory after so long without a message.</summary>
    public TimeSpan IdleAfter { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Tasks at a time that touch a root, by its name; no limit for a root that is not named.</summary>
    public IReadOnlyDictionary<string, int> RootLimits { get; init; } = new Dictionary<string, int>();
}
