namespace ImageCluster.Jobs.Images;

/// <summary>A change of the whole image that was begun under a lease of its own, and how it ended.</summary>
/// <param name="Token">Of its lease.</param>
/// <param name="Purpose">Which change.</param>
/// <param name="Detail">Its arguments, for people.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Message">What went wrong; empty where nothing did.</param>
/// <param name="At">When it ended.</param>
public sealed record ImageChange(long Token, UsePurpose Purpose, string Detail, ChangeOutcome Outcome, string Message, Instant At);
