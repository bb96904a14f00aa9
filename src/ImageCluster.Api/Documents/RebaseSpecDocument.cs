namespace ImageCluster.Api.Documents;

/// <summary>Gives an image another backing file.</summary>
public sealed record RebaseSpecDocument : JobSpecDocument
{
    public const string Operation = "rebase";

    public required string Image { get; init; }

    public string? Format { get; init; }

    /// <summary>Null where the image shall stand on nothing.</summary>
    public string? Backing { get; init; }

    public string? BackingFormat { get; init; }

    /// <summary>Only the name is changed: what differs is not merged.</summary>
    public bool Unsafe { get; init; }
}
