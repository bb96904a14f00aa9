using System.Collections.Immutable;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Messages;

/// <summary>Where a job stands, in a few lines. Sizes in bytes.</summary>
public sealed record JobSummary
{
    public required string JobId { get; init; }

    /// <summary>The migration that it belongs to; empty for none.</summary>
    public string Migration { get; init; } = "";

    /// <summary>As <see cref="JobSpec.Operation"/> says it.</summary>
    public required string Operation { get; init; }

    public required JobPhase Phase { get; init; }

    public bool IsPaused { get; init; }

    /// <summary>Null while it has not ended.</summary>
    public JobOutcome? Outcome { get; init; }

    /// <summary>Why it failed, was cancelled, or does not go on just now; empty where there is nothing to say.</summary>
    public string Reason { get; init; } = "";

    public int Priority { get; init; }

    public Instant SubmittedAt { get; init; }

    /// <summary>Null while it has not ended.</summary>
    public Instant? EndedAt { get; init; }

    /// <summary>The step that it is at.</summary>
    public StageKind Stage { get; init; }

    /// <summary>Of the step.</summary>
    public long Shards { get; init; }

    public long ShardsDone { get; init; }

    public long ShardsInWork { get; init; }

    public long BytesRead { get; init; }

    public long BytesWritten { get; init; }

    /// <summary>Text of the guest's digest; empty where there is none, or not yet.</summary>
    public string Digest { get; init; } = "";

    /// <summary>The lowest guest offset at which images were found to differ; null where none was found.</summary>
    public long? FirstDifference { get; init; }

    /// <summary>The images that it holds now.</summary>
    public ImmutableList<JobUse> Uses { get; init; } = [];

    public bool HasEnded => Outcome is not null;

    /// <summary>In a word: planning, working, paused, stopping, cleaningUp, succeeded, failed or cancelled.</summary>
    public string State => Outcome switch
    {
        JobOutcome.Succeeded => "succeeded",
        JobOutcome.Failed => "failed",
        JobOutcome.Cancelled => "cancelled",
        _ => Phase switch
        {
            JobPhase.Stopping => "stopping",
            JobPhase.CleaningUp => "cleaningUp",
            _ when IsPaused => "paused",
            JobPhase.Working => "working",
            _ => "planning",
        },
    };
}
