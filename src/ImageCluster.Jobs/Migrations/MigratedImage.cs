namespace ImageCluster.Jobs.Migrations;

/// <summary>One image of a migration. Sizes in bytes.</summary>
public sealed record MigratedImage
{
    /// <summary>Its number in the migration, from 0.</summary>
    public required int Index { get; init; }

    public required ImageName Source { get; init; }

    public string SourceFormat { get; init; } = "";

    /// <summary>The name of the secret with the source's password; empty for none.</summary>
    public string SourceSecret { get; init; } = "";

    /// <summary>Null only where the plan refused the image.</summary>
    public ImageName? Target { get; init; }

    public long VirtualSize { get; init; }

    public long AllocatedBytes { get; init; }

    public long EstimatedBytes { get; init; }

    /// <summary>The image of this migration whose target this one's stands on, by number (a lower one); -1 for none.</summary>
    public int Base { get; init; } = -1;

    public ImageProgress Progress { get; init; } = ImageProgress.Waiting;

    /// <summary>How often it was started.</summary>
    public int Attempt { get; init; }

    /// <summary>Why it is skipped, refused, failed or cancelled; empty otherwise.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Text of the guest's digest; empty where there is none.</summary>
    public string Digest { get; init; } = "";

    public long BytesRead { get; init; }

    public long BytesWritten { get; init; }

    public Instant StartedAt { get; init; }

    public Instant EndedAt { get; init; }

    public bool IsOver => Progress is not (ImageProgress.Waiting or ImageProgress.Running);
}
