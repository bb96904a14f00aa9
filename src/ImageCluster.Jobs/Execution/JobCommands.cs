using System.Collections.Immutable;

namespace ImageCluster.Jobs.Execution;

/// <summary>A command to the record of one job.</summary>
/// <param name="JobId">The job.</param>
/// <param name="At">Now, as whoever keeps the record has it: a clock that does not run backwards within one process.</param>
public abstract record JobCommand(string JobId, Instant At);

/// <summary>The same job twice is the same as once.</summary>
public sealed record SubmitJob(string JobId, Instant At, JobSpec Spec, JobSettings Settings) : JobCommand(JobId, At);

/// <summary>Notes the leases that the job holds now, all of them.</summary>
public sealed record NoteUses(string JobId, Instant At, ImmutableList<JobUse> Uses) : JobCommand(JobId, At);

/// <summary>
/// Looks at the images again, which the job holds by these leases now: while it did not hold them all, their chains may have become others.
/// </summary>
public sealed record ProbeAgain(string JobId, Instant At, ImmutableList<JobUse> Uses) : JobCommand(JobId, At);

/// <summary>Sets the steps and starts the first.</summary>
public sealed record PlanJob(string JobId, Instant At, JobPlan Plan) : JobCommand(JobId, At);

/// <summary>A worker takes work: the lowest shards that wait, as one assignment.</summary>
/// <param name="Count">At most so many, 1 or more.</param>
/// <param name="Duration">How long the assignment lasts unless it is renewed.</param>
/// <param name="UsableUntil">The earliest deadline among the leases of the job's images: the assignment lasts no longer.</param>
public sealed record StartShards(string JobId, Instant At, string Worker, int Count, TimeSpan Duration, Instant UsableUntil)
    : JobCommand(JobId, At);

/// <summary>Moves an assignment's deadline on. Stored only where less than half of the duration is left.</summary>
/// <param name="UsableUntil">As for <see cref="StartShards"/>.</param>
public sealed record RenewAssignment(string JobId, Instant At, long Assignment, Instant UsableUntil) : JobCommand(JobId, At);

/// <summary>Shards are done. Those that are known to be done by this assignment count once.</summary>
public sealed record CompleteShards(string JobId, Instant At, long Assignment, ImmutableList<ShardResult> Results) : JobCommand(JobId, At);

/// <summary>A shard failed.</summary>
/// <param name="Reason">One line.</param>
/// <param name="Permanent">Trying again would not help (a corrupt source, no space): the job fails at once.</param>
public sealed record FailShard(string JobId, Instant At, long Assignment, long Shard, string Reason, bool Permanent) : JobCommand(JobId, At);

/// <summary>A worker stops by itself and writes no more: what it has not done is given out again at once, and is no failure.</summary>
public sealed record HandBack(string JobId, Instant At, long Assignment) : JobCommand(JobId, At);

/// <summary>Ends the assignments whose deadline has passed.</summary>
public sealed record ExpireAssignments(string JobId, Instant At) : JobCommand(JobId, At);

/// <summary>
/// The record's keeper was restarted, perhaps on a machine with another clock: every deadline becomes a full duration from now.
/// </summary>
public sealed record RestartAssignments(string JobId, Instant At) : JobCommand(JobId, At);

/// <summary>Nothing new is started; what is in work is finished.</summary>
public sealed record PauseJob(string JobId, Instant At, string By) : JobCommand(JobId, At);

public sealed record ResumeJob(string JobId, Instant At, string By) : JobCommand(JobId, At);

public sealed record CancelJob(string JobId, Instant At, string By) : JobCommand(JobId, At);

/// <summary>The job cannot be done: an image that stays in use, a root that no worker reaches.</summary>
public sealed record FailJob(string JobId, Instant At, string Reason) : JobCommand(JobId, At);

/// <summary>The images of an ended job were given back: nothing is left to do.</summary>
public sealed record NoteReleased(string JobId, Instant At) : JobCommand(JobId, At);
