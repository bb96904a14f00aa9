using System.Collections.Immutable;
using ImageCluster.Imaging.Operations;

namespace ImageCluster.Jobs.Execution;

/// <summary>How a job is carried out: its steps, and how the guest's disk is cut. Bytes.</summary>
public sealed record JobPlan
{
    /// <summary>A job of more shards is refused: 64 TiB in shards of 512 MiB have 131,072.</summary>
    public const long MaxShards = 1 << 24;

    /// <summary>Of the disk that is worked on; the larger one where two are compared.</summary>
    public required long VirtualSize { get; init; }

    /// <summary>Shard n is the range from n times this; a multiple of <see cref="GuestDigest.LeafLength"/>.</summary>
    public required long ShardLength { get; init; }

    /// <summary>In order, one or more.</summary>
    public required ImmutableList<StagePlan> Stages { get; init; }

    /// <summary>A job that does not succeed ends with <see cref="StageKind.CleanUp"/>.</summary>
    public bool CleanUp { get; init; }

    /// <summary>What is wrong with it, or null.</summary>
    public string? Problem =>
        VirtualSize < 0 ? "a disk is not smaller than nothing"
        : ShardLength <= 0 || ShardLength % GuestDigest.LeafLength != 0 ? $"shards are whole multiples of {GuestDigest.LeafLength:#,0} bytes"
        : Stages.IsEmpty ? "a job has one step at least"
        : Stages.Any(stage => stage.Shards is <= 0 or > MaxShards) ? $"a step has 1 to {MaxShards:#,0} shards"
        : Stages.Any(stage => stage.Kind is StageKind.Probe or StageKind.CleanUp) ? "probing and cleaning up are not planned"
        : null;

    /// <summary>True where the other says the same, step by step.</summary>
    public bool SameAs(JobPlan other) =>
        VirtualSize == other.VirtualSize && ShardLength == other.ShardLength && CleanUp == other.CleanUp && Stages.SequenceEqual(other.Stages);

    /// <summary>How many shards of <paramref name="shardLength"/> cover a disk: one at least, so that an empty disk has work too.</summary>
    public static long CountShards(long virtualSize, long shardLength) =>
        Math.Max(1, virtualSize / shardLength + (virtualSize % shardLength == 0 ? 0 : 1));

    /// <summary>The shard's range of the guest's disk.</summary>
    public Range64 RangeOf(long shard)
    {
        Int128 start = (Int128)shard * ShardLength;
        return new Range64((long)Int128.Min(start, VirtualSize), (long)Int128.Min(start + ShardLength, VirtualSize));
    }
}
