namespace ImageCluster.Api.Documents;

/// <summary>A job. Sizes in bytes.</summary>
public sealed record JobDocument
{
    public required string Id { get; init; }

    /// <summary>convert, compare, commit, rebase, create, resize, amend, snapshot or "check -r"; "gather" looks for the images of a migration.</summary>
    public required string Operation { get; init; }

    /// <summary>planning, working, paused, stopping, cleaningUp, succeeded, failed or cancelled.</summary>
    public required string State { get; init; }

    /// <summary>The migration that it belongs to; null for none.</summary>
    public string? Migration { get; init; }

    /// <summary>What it is to do.</summary>
    public JobSpecDocument? Spec { get; init; }

    public int Priority { get; init; }

    public DateTimeOffset SubmittedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>The step that it is at: probe, create, copy, finish, verify, install, compare, prepare, merge, empty, relink, change, gather or cleanUp; null before and after.</summary>
    public string? Stage { get; init; }

    /// <summary>Shards of the step.</summary>
    public long Shards { get; init; }

    public long ShardsDone { get; init; }

    public long ShardsInWork { get; init; }

    public long BytesRead { get; init; }

    public long BytesWritten { get; init; }

    /// <summary>Why it failed, was cancelled or does not go on.</summary>
    public string? Reason { get; init; }

    /// <summary>The guest's digest.</summary>
    public string? Digest { get; init; }

    /// <summary>Of a comparison: the lowest guest offset at which the images differ; null where none was found.</summary>
    public long? FirstDifference { get; init; }

    /// <summary>What workers have of it; empty in lists.</summary>
    public IReadOnlyList<AssignmentDocument> Assignments { get; init; } = [];

    /// <summary>What went wrong with shards of the step, whether or not it was made good; empty in lists.</summary>
    public IReadOnlyList<TroubleDocument> Troubles { get; init; } = [];

    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsOver => State is "succeeded" or "failed" or "cancelled";
}
