namespace ImageCluster.Imaging.Operations.Verifying;

/// <summary>How a disk is read back.</summary>
public sealed record VerifyOptions
{
    /// <summary>Threads that read and hash, 1 or more. The answer does not depend on their number.</summary>
    public int Threads { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 16);

    /// <summary>The guest's bytes are hashed; without, they are compared only.</summary>
    public bool TakesDigest { get; init; } = true;

    /// <summary>Called, from any thread, with the guest bytes read back since the last call; ranges of zeros are not counted.</summary>
    public Action<long>? Progress { get; init; }

    /// <summary>Called before so many guest bytes are read, from any thread; returns when they may be (rate limit).</summary>
    public Action<int>? Throttle { get; init; }

    /// <summary>
    /// Bytes of the disk that are reported, and whose hashes are folded, together: a multiple of <see cref="GuestDigest.LeafLength"/>. Memory
    /// is about a ten-thousandth of it.
    /// </summary>
    public long ShardLength { get; init; } = 512L << 20;

    /// <summary>True for shards that were read back before and must not be again; the whole digest is then the caller's to put together.</summary>
    public Func<long, bool> IsShardDone { get; init; } = static _ => false;

    /// <summary>Called, from any thread but one at a time, with the hashes (none where no digest is taken) of a shard that was read back and is as it must be.</summary>
    public Action<long, IReadOnlyList<GuestDigestPart>>? ShardVerified { get; init; }
}
