namespace ImageCluster.Api.Documents;

/// <summary>A worker.</summary>
public sealed record WorkerDocument
{
    /// <summary>Another one after a restart.</summary>
    public required string Id { get; init; }

    /// <summary>Where its node is: <c>host:port</c>.</summary>
    public string? Address { get; init; }

    /// <summary>Names of the roots that it reaches.</summary>
    public IReadOnlyList<string> Roots { get; init; } = [];

    /// <summary>Tasks at a time.</summary>
    public int Slots { get; init; }

    public int FreeSlots { get; init; }
}
