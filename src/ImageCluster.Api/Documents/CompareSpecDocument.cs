namespace ImageCluster.Api.Documents;

/// <summary>Compares what the guests of two images see.</summary>
public sealed record CompareSpecDocument : JobSpecDocument
{
    public const string Operation = "compare";

    public required string First { get; init; }

    public string? FirstFormat { get; init; }

    public required string Second { get; init; }

    public string? SecondFormat { get; init; }

    /// <summary>Sizes and allocation count too.</summary>
    public bool Strict { get; init; }
}
