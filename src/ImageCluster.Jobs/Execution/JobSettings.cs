using System.Collections.Immutable;

namespace ImageCluster.Jobs.Execution;

/// <summary>How a job is run.</summary>
public sealed record JobSettings
{
    public static JobSettings Default { get; } = new();

    /// <summary>0 (last) to 100 (first).</summary>
    public int Priority { get; init; } = 50;

    /// <summary>Shards in work at a time; 0 for no limit.</summary>
    public int MaxShards { get; init; }

    /// <summary>A shard that fails so often fails the job; 1 or more.</summary>
    public int MaxFailures { get; init; } = 3;

    /// <summary>A shard whose worker is lost so often fails the job (it may be what kills them); 1 or more.</summary>
    public int MaxLosses { get; init; } = 10;

    /// <summary>Bytes a second that the job reads at most; 0 for no limit.</summary>
    public long BytesPerSecond { get; init; }

    /// <summary>
    /// Tasks at a time over all jobs that name the same limit, by its name (a migration's, or what a migration may take of a root); 1 or more each.
    /// </summary>
    public ImmutableSortedDictionary<string, int> SharedLimits { get; init; } = ImmutableSortedDictionary<string, int>.Empty;

    /// <summary>Bytes a second over all jobs that name the same rate, by its name, in the same way.</summary>
    public ImmutableSortedDictionary<string, SharedRate> SharedRates { get; init; } = ImmutableSortedDictionary<string, SharedRate>.Empty;

    /// <summary>What the migration that the job belongs to is called by; empty for none.</summary>
    public string Migration { get; init; } = "";

    /// <summary>What is wrong with it, or null.</summary>
    public string? Problem =>
        Priority is < 0 or > 100 ? "a priority is from 0 to 100"
        : MaxShards < 0 || BytesPerSecond < 0 ? "a limit is not below 0"
        : SharedLimits.Values.Any(limit => limit < 1) ? "a limit that jobs share is 1 or more"
        : SharedRates.Values.Any(rate => rate.BytesPerSecond < 1) ? "a rate that jobs share is a byte a second or more"
        : MaxFailures < 1 || MaxLosses < 1 ? "a shard may fail and be lost once at least"
        : null;
}
