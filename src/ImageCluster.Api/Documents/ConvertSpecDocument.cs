namespace ImageCluster.Api.Documents;

/// <summary>Converts a source with its whole chain into a new target.</summary>
public sealed record ConvertSpecDocument : JobSpecDocument
{
    public const string Operation = "convert";

    public required string Source { get; init; }

    public string? SourceFormat { get; init; }

    public required string Target { get; init; }

    public required string TargetFormat { get; init; }

    /// <summary>Create options by name.</summary>
    public IReadOnlyDictionary<string, string>? Options { get; init; }

    public bool Compress { get; init; }

    /// <summary>The image that the target stands on (the source's chain is kept); null for none.</summary>
    public string? Backing { get; init; }

    public string? BackingFormat { get; init; }

    /// <summary>A finished target may take the place of a file of its name.</summary>
    public bool Replace { get; init; }

    /// <summary>compare (the default), digest or none.</summary>
    public string? Verify { get; init; }

    /// <summary>false: no digest of the guest's bytes is taken, which saves work. One is taken otherwise.</summary>
    public bool? Digest { get; init; }
}
