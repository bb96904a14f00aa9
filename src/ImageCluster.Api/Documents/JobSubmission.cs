namespace ImageCluster.Api.Documents;

/// <summary>A single job to be done.</summary>
public sealed record JobSubmission
{
    /// <summary>As for <see cref="MigrationSubmission.Id"/>.</summary>
    public string? Id { get; init; }

    public required JobSpecDocument Spec { get; init; }

    /// <summary>0 (last) to 100 (first).</summary>
    public int Priority { get; init; } = 50;

    /// <summary>Shards in work at a time; 0 for no limit.</summary>
    public int MaxShards { get; init; }

    /// <summary>Who submits it; for people.</summary>
    public string? By { get; init; }
}
