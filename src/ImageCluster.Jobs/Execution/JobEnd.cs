namespace ImageCluster.Jobs.Execution;

/// <summary>The end of a job, or what it will be once its workers have stopped.</summary>
/// <param name="Outcome">How.</param>
/// <param name="Reason">Why it failed or was cancelled; empty where it succeeded.</param>
/// <param name="At">When.</param>
public sealed record JobEnd(JobOutcome Outcome, string Reason, Instant At);
