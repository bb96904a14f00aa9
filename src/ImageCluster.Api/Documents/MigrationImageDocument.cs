namespace ImageCluster.Api.Documents;

/// <summary>One image of a migration. Sizes in bytes.</summary>
public sealed record MigrationImageDocument
{
    /// <summary>Its number in the migration, from 0.</summary>
    public int Index { get; init; }

    public required string Source { get; init; }

    public string? SourceFormat { get; init; }

    public string? Target { get; init; }

    /// <summary>waiting, running, succeeded, failed, cancelled, skipped or refused.</summary>
    public required string State { get; init; }

    /// <summary>The job of its latest start; null where it was never started.</summary>
    public string? Job { get; init; }

    /// <summary>How often it was started.</summary>
    public int Attempt { get; init; }

    public long VirtualSize { get; init; }

    /// <summary>Of the source, as planned.</summary>
    public long DataBytes { get; init; }

    /// <summary>Why it is skipped, refused, failed or cancelled.</summary>
    public string? Reason { get; init; }

    /// <summary>The guest's digest.</summary>
    public string? Digest { get; init; }

    public long BytesRead { get; init; }

    public long BytesWritten { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>The step that its job is at: probe, create, copy, finish, verify, install ...; null where it is not known.</summary>
    public string? Stage { get; init; }

    /// <summary>Shards of the step.</summary>
    public long Shards { get; init; }

    public long ShardsDone { get; init; }
}
