namespace ImageCluster.Imaging.Operations.Rebasing;

/// <summary>How a safe rebase is run.</summary>
public sealed record RebaseOptions
{
    /// <summary>Threads that read and compare, 1 or more.</summary>
    public int Threads { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 16);

    /// <summary>
    /// Where the new backing file is an image of the old chain: its place in it (2 or more). What no image above it changes is not compared.
    /// </summary>
    public int? SharedDepth { get; init; }

    /// <summary>Called before so many guest bytes are read and compared, from any thread; returns when they may be (rate limit).</summary>
    public Action<int>? Throttle { get; init; }

    /// <summary>Called, from any thread, with the guest bytes done since the last call.</summary>
    public Action<long>? Progress { get; init; }
}
