namespace ImageCluster.Jobs.Migrations;

/// <summary>A migration in numbers. Sizes in bytes.</summary>
public sealed record MigrationSummary
{
    public int Images { get; init; }

    public int Waiting { get; init; }

    public int Running { get; init; }

    public int Succeeded { get; init; }

    public int Failed { get; init; }

    public int Cancelled { get; init; }

    public int Skipped { get; init; }

    public int Refused { get; init; }

    /// <summary>Guest bytes to read over all images that are converted.</summary>
    public long PlannedBytes { get; init; }

    /// <summary>Guest bytes of those that succeeded.</summary>
    public long DoneBytes { get; init; }

    public long BytesRead { get; init; }

    public long BytesWritten { get; init; }
}
