namespace ImageCluster.Api.Documents;

/// <summary>Who uses an image, and how far its filling is.</summary>
public sealed record ImageDocument
{
    /// <summary><c>root:path</c>.</summary>
    public required string Name { get; init; }

    /// <summary>One that modifies it, or any number of others.</summary>
    public IReadOnlyList<ImageUseDocument> Users { get; init; } = [];

    /// <summary>Overlays that are known to stand on it.</summary>
    public IReadOnlyList<string> Dependents { get; init; } = [];

    /// <summary>Shards of the filling that is under way or was interrupted; 0 where there is none.</summary>
    public long Shards { get; init; }

    public long ShardsPublished { get; init; }

    /// <summary>The job that filled it to its end; null where none is known.</summary>
    public string? FinishedBy { get; init; }

    /// <summary>The guest's digest then.</summary>
    public string? Digest { get; init; }
}
