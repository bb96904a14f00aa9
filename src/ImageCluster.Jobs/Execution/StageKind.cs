namespace ImageCluster.Jobs.Execution;

/// <summary>A step of a job. The numbers are stored: they never change.</summary>
public enum StageKind
{
    /// <summary>One task: looks at the images, so that the job can be planned.</summary>
    Probe = 1,

    /// <summary>One task: makes the target's file, under a name that nobody takes for a finished image.</summary>
    Create = 2,

    /// <summary>Sharded: fills the target.</summary>
    Copy = 3,

    /// <summary>One task: takes the manifests of what was copied or merged in and makes the target whole.</summary>
    Finish = 4,

    /// <summary>Sharded: reads the target back.</summary>
    Verify = 5,

    /// <summary>One task: gives the target its name.</summary>
    Install = 6,

    /// <summary>Sharded: compares two images.</summary>
    Compare = 7,

    /// <summary>Sharded: writes data into the base (commit) or the image (rebase).</summary>
    Merge = 8,

    /// <summary>One task: empties a commit's top.</summary>
    Empty = 9,

    /// <summary>One task: changes the name of the backing file.</summary>
    Relink = 10,

    /// <summary>One task, behind a job that failed or was cancelled: removes the unfinished target.</summary>
    CleanUp = 11,

    /// <summary>One task: a change of a whole image.</summary>
    Change = 12,

    /// <summary>One task: looks for a migration's images.</summary>
    Gather = 13,

    /// <summary>One task, before shards are merged into an image that hands out room: makes it ready and says where room begins.</summary>
    Prepare = 14,
}
