namespace ImageCluster.Api.Documents;

/// <summary>Writes the data of a chain's top into an image below it.</summary>
public sealed record CommitSpecDocument : JobSpecDocument
{
    public const string Operation = "commit";

    public required string Top { get; init; }

    public string? TopFormat { get; init; }

    /// <summary>An image of the top's chain; null for the one that the top stands on.</summary>
    public string? Base { get; init; }

    /// <summary>The top is not emptied afterwards.</summary>
    public bool KeepTop { get; init; }
}
