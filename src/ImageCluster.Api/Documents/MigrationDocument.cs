namespace ImageCluster.Api.Documents;

/// <summary>A migration. Sizes are bytes of guests' data.</summary>
public sealed record MigrationDocument
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    /// <summary>planning, running, paused, cancelling, succeeded, failed or cancelled.</summary>
    public required string State { get; init; }

    public string? SubmittedBy { get; init; }

    public DateTimeOffset SubmittedAt { get; init; }

    /// <summary>Null while it is not over.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    public ImageCounts Images { get; init; } = new();

    /// <summary>To read over all images that are converted.</summary>
    public long PlannedBytes { get; init; }

    /// <summary>Of the images that are done, and of those in work as far as they are.</summary>
    public long DoneBytes { get; init; }

    public long BytesRead { get; init; }

    public long BytesWritten { get; init; }

    /// <summary>Why it did not start or was cancelled; a line each.</summary>
    public IReadOnlyList<string> Reasons { get; init; } = [];

    /// <summary>Images in work; empty in lists.</summary>
    public IReadOnlyList<MigrationImageDocument> Running { get; init; } = [];

    /// <summary>True where nothing more will happen by itself.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsOver => State is "succeeded" or "failed" or "cancelled";
}
