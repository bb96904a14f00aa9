namespace ImageCluster.Jobs.Migrations;

/// <summary>Where a migration stands.</summary>
public enum MigrationPhase
{
    /// <summary>There is no such migration.</summary>
    None,

    /// <summary>Submitted; its images are looked at.</summary>
    Planning,

    Running,

    /// <summary>Nothing new is started.</summary>
    Paused,

    /// <summary>Cancelled; the last jobs are stopping.</summary>
    Cancelling,

    /// <summary>Over, and every image was converted or left out as planned.</summary>
    Succeeded,

    /// <summary>Over; at least one image failed or was refused, or the whole plan was.</summary>
    Failed,

    Cancelled,
}
