namespace ImageCluster.Api;

/// <summary>An operation was not carried out.</summary>
/// <param name="reason">What sort of reason, for programs.</param>
/// <param name="message">One line for people.</param>
/// <param name="details">More lines: everything that is wrong with a manifest, say.</param>
public sealed class OperationRefusedException(RefusalReason reason, string message, IReadOnlyList<string>? details = null, Exception? inner = null)
    : Exception(message, inner)
{
    public RefusalReason Reason { get; } = reason;

    public IReadOnlyList<string> Details { get; } = details ?? [];
}
