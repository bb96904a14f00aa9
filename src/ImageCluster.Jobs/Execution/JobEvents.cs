using System.Collections.Immutable;

namespace ImageCluster.Jobs.Execution;

/// <summary>Something that happened to a job. Stored by the event codec; never changed once it is.</summary>
public abstract record JobEvent;

public sealed record JobSubmitted(string JobId, JobSpec Spec, JobSettings Settings, Instant At) : JobEvent;

public sealed record UsesTaken(ImmutableList<JobUse> Uses, Instant At) : JobEvent;

public sealed record UsesReleased(Instant At) : JobEvent;

public sealed record JobPlanned(JobPlan Plan, Instant At) : JobEvent;

/// <summary>A step begins. <paramref name="Index"/> is its place in the plan, or -1 for cleaning up.</summary>
public sealed record StageEntered(int Index, StageKind Kind, long Shards, Instant At) : JobEvent;

public sealed record ShardsStarted(long Assignment, string Worker, RangeSet Shards, Instant At, TimeSpan Duration, Instant Deadline) : JobEvent;

public sealed record AssignmentRenewed(long Assignment, Instant Deadline) : JobEvent;

public sealed record AssignmentsRestarted(Instant At) : JobEvent;

public sealed record ShardsCompleted(long Assignment, ImmutableList<ShardResult> Results) : JobEvent;

public sealed record ShardFailed(long Assignment, long Shard, string Reason, bool Permanent, Instant At) : JobEvent;

/// <summary>An assignment ended before all its shards were done: handed back, or its worker lost.</summary>
public sealed record AssignmentEnded(long Assignment, bool Lost, Instant At) : JobEvent;

public sealed record JobPaused(string By, Instant At) : JobEvent;

public sealed record JobResumed(string By, Instant At) : JobEvent;

/// <summary>The job will end in this way as soon as its workers have stopped.</summary>
public sealed record JobStopping(JobEnd End) : JobEvent;

/// <param name="End">How.</param>
/// <param name="Digest">Text of the guest's digest, or empty.</param>
/// <param name="FirstDifference">What a comparison found, or null.</param>
public sealed record JobEnded(JobEnd End, string Digest, long? FirstDifference) : JobEvent;
