namespace ImageCluster.Jobs.Images;

/// <summary>What is known of an image that was filled to its end.</summary>
/// <param name="Holder">The job that filled it.</param>
/// <param name="Digest">Text of the guest's digest; empty where none was taken.</param>
/// <param name="At">When.</param>
public sealed record FinishedTarget(string Holder, string Digest, Instant At);
