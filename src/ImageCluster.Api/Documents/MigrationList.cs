namespace ImageCluster.Api.Documents;

/// <summary>Migrations.</summary>
/// <param name="Items">A part of them.</param>
/// <param name="Total">How many there are that fit the query.</param>
public sealed record MigrationList(IReadOnlyList<MigrationDocument> Items, int Total);
