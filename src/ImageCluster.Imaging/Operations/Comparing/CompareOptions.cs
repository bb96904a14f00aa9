namespace ImageCluster.Imaging.Operations.Comparing;

/// <summary>How two disks are compared.</summary>
public sealed record CompareOptions
{
    /// <summary>Sizes and allocation must be equal too (<c>compare -s</c>).</summary>
    public bool Strict { get; init; }

    /// <summary>Threads that read, 1 or more. The answer does not depend on their number.</summary>
    public int Threads { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 16);

    /// <summary>Called, from any thread, with the guest bytes compared since the last call.</summary>
    public Action<long>? Progress { get; init; }

    /// <summary>Called before so many bytes are read, from any thread; returns when they may be (rate limit).</summary>
    public Action<int>? Throttle { get; init; }
}
