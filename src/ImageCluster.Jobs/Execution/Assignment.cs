namespace ImageCluster.Jobs.Execution;

/// <summary>Shards that a worker has in work: one attempt for each.</summary>
public sealed record Assignment
{
    /// <summary>Fencing token: of two assignments of one job the later has the higher.</summary>
    public required long Token { get; init; }

    /// <summary>The worker's id, which is another one after a restart.</summary>
    public required string Worker { get; init; }

    /// <summary>Those that are not done yet.</summary>
    public required RangeSet Shards { get; init; }

    public required Instant StartedAt { get; init; }

    /// <summary>How long it lasts after it is given or renewed.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>From this time on the worker, by its own clock, no longer works on it; its shards can be given out again.</summary>
    public required Instant Deadline { get; init; }
}
