namespace ImageCluster.Api.Documents;

/// <summary>The images of a migration by their state.</summary>
public sealed record ImageCounts
{
    public int Total { get; init; }

    public int Waiting { get; init; }

    public int Running { get; init; }

    public int Succeeded { get; init; }

    public int Failed { get; init; }

    public int Cancelled { get; init; }

    /// <summary>Left out by the plan.</summary>
    public int Skipped { get; init; }

    /// <summary>Refused by the plan.</summary>
    public int Refused { get; init; }
}
