namespace ImageCluster.Jobs.Plans;

/// <summary>What a migration does with one image. Sizes in bytes.</summary>
public sealed record PlannedImage
{
    public required ImageName Source { get; init; }

    /// <summary>Null only where the pattern gives no usable name (then the action is refuse).</summary>
    public ImageName? Target { get; init; }

    public required PlanAction Action { get; init; }

    /// <summary>Why it is skipped or refused; null where it is converted.</summary>
    public string? Reason { get; init; }

    public string SourceFormat { get; init; } = "";

    /// <summary>The name of the secret with the source's password; empty for none.</summary>
    public string SourceSecret { get; init; } = "";

    /// <summary>The source's chain, top first.</summary>
    public IReadOnlyList<ChainLayer> Chain { get; init; } = [];

    public long VirtualSize { get; init; }

    /// <summary>Guest bytes to read.</summary>
    public long AllocatedBytes { get; init; }

    /// <summary>What the target needs on its file system at most.</summary>
    public long EstimatedBytes { get; init; }

    /// <summary>The target that this one has for its backing file (chains are kept), or null. It must be finished first.</summary>
    public ImageName? BackingTarget { get; init; }

    /// <summary>A file with the target's name is there and will be replaced.</summary>
    public bool Replaces { get; init; }
}
