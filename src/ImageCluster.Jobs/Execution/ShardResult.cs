using System.Collections.Immutable;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations;

namespace ImageCluster.Jobs.Execution;

/// <summary>What a worker says of a shard that it has done. Bytes.</summary>
public sealed record ShardResult
{
    public required long Shard { get; init; }

    /// <summary>What lies where in the target; null where the shard wrote nothing, or the target needs none.</summary>
    public ShardManifest? Manifest { get; init; }

    /// <summary>The hashes of the shard's range, which they cover; empty where none were taken.</summary>
    public ImmutableList<GuestDigestPart> Digest { get; init; } = [];

    /// <summary>Guest bytes read as data.</summary>
    public long BytesRead { get; init; }

    public long BytesWritten { get; init; }

    /// <summary>Guest offset of the first byte that differs; null where none does.</summary>
    public long? FirstDifference { get; init; }

    /// <summary>What a single task found out, in a form of its own; empty for shards.</summary>
    public string Detail { get; init; } = "";
}
