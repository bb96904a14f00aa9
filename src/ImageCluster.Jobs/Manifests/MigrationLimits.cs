namespace ImageCluster.Jobs.Manifests;

/// <summary>What the migration may take of a cluster at once, null or not listed where there is no limit.</summary>
public sealed record MigrationLimits
{
    public const int MaxShards = 1_000_000;

    /// <summary>Shards in work at a time over all images, 1 or more.</summary>
    public int? Shards { get; init; }

    /// <summary>Shards in work at a time of one image, 1 or more.</summary>
    public int? ShardsPerImage { get; init; }

    /// <summary>By the text of a root that a source or the target uses.</summary>
    public IReadOnlyDictionary<string, RootLimit> Roots { get; init; } = new SortedDictionary<string, RootLimit>(StringComparer.Ordinal);
}
