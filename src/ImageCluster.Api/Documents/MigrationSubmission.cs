namespace ImageCluster.Api.Documents;

/// <summary>A migration to be done.</summary>
public sealed record MigrationSubmission
{
    /// <summary>What it is called by from then on: 1 to 100 of letters, digits, '.', '_', '-'. Null: the node chooses one.</summary>
    public string? Id { get; init; }

    /// <summary>The manifest's text (YAML; JSON is YAML).</summary>
    public required string Manifest { get; init; }

    /// <summary>Who submits it; for people.</summary>
    public string? By { get; init; }
}
