namespace ImageCluster.Jobs.Plans;

/// <summary>What was found out about one selected source. Sizes in bytes.</summary>
public sealed record SourceFacts
{
    public required ImageName Image { get; init; }

    /// <summary>Canonical name of the image's file (links resolved).</summary>
    public required string Identity { get; init; }

    /// <summary>The image and what it stands on, top first; empty where <see cref="Problem"/> says why it cannot be opened.</summary>
    public IReadOnlyList<ChainLayer> Chain { get; init; } = [];

    /// <summary>Canonical names of every file that reading the image touches beyond those of the chain's layers: extent files, data files.</summary>
    public IReadOnlyList<string> OtherFiles { get; init; } = [];

    public string Format => Chain.Count == 0 ? "" : Chain[0].Format;

    /// <summary>The name of the secret with its password; empty for none.</summary>
    public string Secret { get; init; } = "";

    /// <summary>Size of the guest's disk.</summary>
    public long VirtualSize { get; init; }

    /// <summary>Guest bytes that the conversion reads as data: of the whole chain, or of the top alone where chains are kept.</summary>
    public long AllocatedBytes { get; init; }

    /// <summary>What the engine measured that the target will need at most; null where it was not asked and a rule of thumb must do.</summary>
    public long? MeasuredTargetBytes { get; init; }

    /// <summary>Why the image cannot be converted, in one line; null where it can.</summary>
    public string? Problem { get; init; }
}
