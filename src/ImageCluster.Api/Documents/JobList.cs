namespace ImageCluster.Api.Documents;

/// <summary>Jobs.</summary>
/// <param name="Items">A part of them.</param>
/// <param name="Total">How many there are that fit the query.</param>
public sealed record JobList(IReadOnlyList<JobDocument> Items, int Total);
