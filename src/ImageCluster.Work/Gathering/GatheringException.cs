namespace ImageCluster.Work.Gathering;

/// <summary>What a manifest says does not fit this machine: nothing can be gathered. One line, and what to do about it.</summary>
public sealed class GatheringException(string message, string? hint = null) : Exception(message)
{
    /// <summary>What to do about it; null where the message says it all.</summary>
    public string? Hint { get; } = hint;
}
