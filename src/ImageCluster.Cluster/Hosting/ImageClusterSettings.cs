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

    /// <summary>
    /// An image's state is stored whole after so many events, 1 or more: no more are read after a restart, and about twice as many are kept.
    /// </summary>
    public int SnapshotEvery { get; init; } = 500;

    /// <summary>Jobs and migrations that ended so long ago are forgotten; null: never.</summary>
    public TimeSpan? Retention { get; init; } = TimeSpan.FromDays(90);

    /// <summary>How often the directory looks for such.</summary>
    public TimeSpan ForgetEvery { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Tasks at a time that touch a root, by its name; no limit for a root that is not named.</summary>
    public IReadOnlyDictionary<string, int> RootLimits { get; init; } = new Dictionary<string, int>();

    /// <summary>How long a job's lease on an image lasts unless it is renewed: longer than a coordinator's records need to start elsewhere.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a worker may go on without hearing from the job; a lost worker's shards wait so long.</summary>
    public TimeSpan AssignmentDuration { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A job that cannot have its images for so long, because others use them, fails.</summary>
    public TimeSpan ImageWait { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>A task has as many shards as a worker does in about this time.</summary>
    public TimeSpan TaskTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A task never has more shards; 1 or more.</summary>
    public int MaxShardsInTask { get; init; } = 256;

    /// <summary>Images of a migration that are converted at a time, where its manifest does not say (<c>parallel.images</c>).</summary>
    public int ImagesAtATime { get; init; } = 16;

    /// <summary>How often jobs and migrations say where they stand, and repeat what nobody answered.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>An answer that has not come after so long is not waited for any more.</summary>
    public TimeSpan AskTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>What was not granted is asked for again after so long.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>A record whose actor was stopped by a failing journal is started again after so long.</summary>
    public TimeSpan RestartAfter { get; init; } = TimeSpan.FromSeconds(5);
}
