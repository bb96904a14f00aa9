namespace ImageCluster.Jobs.Images;

/// <summary>What is known of an image that was filled, committed into or rebased by shards, to the end.</summary>
/// <param name="Holder">The job that did it.</param>
/// <param name="Purpose">What it did.</param>
/// <param name="Digest">Text of the guest's digest; empty where none is known.</param>
/// <param name="At">When.</param>
public sealed record FinishedTarget(string Holder, UsePurpose Purpose, string Digest, Instant At);
