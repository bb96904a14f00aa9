namespace ImageCluster.Api.Documents;

/// <summary>Images.</summary>
/// <param name="Items">A part of them.</param>
/// <param name="Total">How many there are that fit the query.</param>
public sealed record ImageList(IReadOnlyList<ImageDocument> Items, int Total);
