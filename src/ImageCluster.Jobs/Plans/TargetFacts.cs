namespace ImageCluster.Jobs.Plans;

/// <summary>What stands at the path of a planned target now.</summary>
/// <param name="Identity">Canonical name of that path (links resolved as far as it exists).</param>
/// <param name="Exists">Something is there.</param>
public sealed record TargetFacts(string Identity, bool Exists)
{
    /// <summary>Bytes that fit, where the target is one that keeps its size (a device, an export); null otherwise.</summary>
    public long? Capacity { get; init; }

    /// <summary>Why nothing can be written there, in one line; null where it can.</summary>
    public string? Problem { get; init; }
}
