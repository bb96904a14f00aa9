namespace ImageCluster.Api.Documents;

/// <summary>Images of a migration.</summary>
/// <param name="Items">A part of them.</param>
/// <param name="Total">How many there are that fit the query.</param>
public sealed record MigrationImageList(IReadOnlyList<MigrationImageDocument> Items, int Total);
