using System.Collections.Immutable;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Messages;

/// <summary>Where a migration stands, in a few lines.</summary>
public sealed record MigrationOverview
{
    public required string MigrationId { get; init; }

    public string Name { get; init; } = "";

    public required MigrationPhase Phase { get; init; }

    public string SubmittedBy { get; init; } = "";

    public Instant SubmittedAt { get; init; }

    /// <summary>Null while it has not ended.</summary>
    public Instant? EndedAt { get; init; }

    /// <summary>Its images in numbers. The bytes done are those of images that are over and of those in work as far as they are.</summary>
    public MigrationSummary Numbers { get; init; } = new();

    /// <summary>Why it did not start, was cancelled or does not go on; a line each.</summary>
    public ImmutableList<string> Reasons { get; init; } = [];

    /// <summary>In a word: planning, running, paused, cancelling, succeeded, failed or cancelled.</summary>
    public string State => Phase switch
    {
        MigrationPhase.Running => "running",
        MigrationPhase.Paused => "paused",
        MigrationPhase.Cancelling => "cancelling",
        MigrationPhase.Succeeded => "succeeded",
        MigrationPhase.Failed => "failed",
        MigrationPhase.Cancelled => "cancelled",
        _ => "planning",
    };

    public bool HasEnded => EndedAt is not null;
}
