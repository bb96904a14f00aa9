namespace ImageCluster.Jobs.Migrations;

/// <summary>Where one image of a migration stands. The numbers are stored.</summary>
public enum ImageProgress
{
    /// <summary>To be converted.</summary>
    Waiting = 1,

    /// <summary>Its job is under way.</summary>
    Running = 2,

    Succeeded = 3,

    Failed = 4,

    Cancelled = 5,

    /// <summary>Left out by the plan.</summary>
    Skipped = 6,

    /// <summary>Refused by the plan: it cannot be read, say.</summary>
    Refused = 7,
}
