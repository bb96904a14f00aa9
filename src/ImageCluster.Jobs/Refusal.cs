namespace ImageCluster.Jobs;

/// <summary>Why a command is not carried out.</summary>
/// <param name="Kind">What sort of reason, for programs.</param>
/// <param name="Message">One line for people: what, who is in the way, what to do.</param>
public sealed record Refusal(RefusalKind Kind, string Message);
