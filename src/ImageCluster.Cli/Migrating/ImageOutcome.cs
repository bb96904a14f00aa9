using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cli.Migrating;

/// <summary>How an image ended in this run.</summary>
/// <param name="Failure">Why it failed, in one line; null where it succeeded.</param>
/// <param name="Job">The job as it is now.</param>
internal sealed record ImageOutcome(string? Failure, JobState? Job);
