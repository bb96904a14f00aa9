namespace ImageCluster.Imaging.Operations.Verifying;

/// <summary>How a disk is read back.</summary>
public sealed record VerifyOptions
{
    /// <summary>Threads that read and hash, 1 or more. The answer does not depend on their number.</summary>
    public int Threads { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 16);

    /// <summary>Called, from any thread, with the guest bytes read back since the last call; ranges of zeros are not counted.</summary>
    public Action<long>? Progress { get; init; }

    /// <summary>Called before so many guest bytes are read, from any thread; returns when they may be (rate limit).</summary>
    public Action<int>? Throttle { get; init; }
}
