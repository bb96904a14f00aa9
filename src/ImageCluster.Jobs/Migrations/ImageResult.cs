using ImageCluster.Jobs.Execution;

namespace ImageCluster.Jobs.Migrations;

/// <summary>How the job of one image ended. Bytes.</summary>
/// <param name="Outcome">How.</param>
/// <param name="Reason">Why it failed or was cancelled; empty otherwise.</param>
/// <param name="Digest">Text of the guest's digest, or empty.</param>
/// <param name="BytesRead">Guest bytes read as data.</param>
/// <param name="BytesWritten">Written to the target.</param>
public sealed record ImageResult(JobOutcome Outcome, string Reason, string Digest, long BytesRead, long BytesWritten);
