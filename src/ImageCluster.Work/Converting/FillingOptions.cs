namespace ImageCluster.Work.Converting;

/// <summary>How a target is filled.</summary>
public sealed record FillingOptions
{
    /// <summary>Threads that read, compress and write; 1 or more.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>The target stands on the target of what the source stands on: only the source's top is read.</summary>
    public bool KeepsChain { get; init; }

    /// <summary>The guest's digest is taken from the bytes on their way in, where the target's shards allow it.</summary>
    public bool TakesDigest { get; init; }

    /// <summary>Room is taken in whatever order runs come.</summary>
    public bool OutOfOrder { get; init; }

    /// <summary>Called before so many bytes are read, from any thread; returns when they may be.</summary>
    public Action<int>? Throttle { get; init; }

    /// <summary>Called with bytes that were read, from any thread.</summary>
    public Action<int>? BytesRead { get; init; }

    /// <summary>True for shards that are filled already.</summary>
    public Func<long, bool> IsShardDone { get; init; } = static _ => false;
}
