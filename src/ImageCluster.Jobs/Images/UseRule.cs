namespace ImageCluster.Jobs.Images;

/// <summary>The use rule: an image is free, used by many, or being modified by one.</summary>
public static class UseRule
{
    /// <summary>True where the purpose needs the image alone; false where many may have it for that at once.</summary>
    public static bool IsExclusive(UsePurpose purpose) => purpose != UsePurpose.Read;

    /// <summary>True for a change of the whole image by one command, which is recorded with its outcome.</summary>
    public static bool IsWholeImageChange(UsePurpose purpose) => purpose >= UsePurpose.Create;

    /// <summary>
    /// True where the bytes that the guest sees, or how many there are, can become others: an overlay that stands on the image would
    /// then read something else than it was made on.
    /// </summary>
    public static bool ChangesContent(UsePurpose purpose) => purpose is UsePurpose.Fill or UsePurpose.Commit or
        UsePurpose.Create or UsePurpose.Resize or UsePurpose.SnapshotApply;

    /// <summary>True where several workers may write shards of it, in room that the image's record hands out.</summary>
    public static bool IsSharded(UsePurpose purpose) => purpose is UsePurpose.Fill or UsePurpose.Commit or UsePurpose.Rebase;

    /// <summary>The purpose as a message says it: "it is being ...".</summary>
    public static string Describe(UsePurpose purpose) => purpose switch
    {
        UsePurpose.Read => "read",
        UsePurpose.Fill => "filled as a target",
        UsePurpose.Commit => "committed into",
        UsePurpose.Empty => "emptied after a commit",
        UsePurpose.Rebase => "rebased",
        UsePurpose.Create => "created",
        UsePurpose.Resize => "resized",
        UsePurpose.Amend => "amended",
        UsePurpose.SnapshotCreate => "given a snapshot",
        UsePurpose.SnapshotDelete => "freed of a snapshot",
        UsePurpose.SnapshotApply => "set back to a snapshot",
        UsePurpose.Relink => "given another backing file",
        UsePurpose.Repair => "repaired",
        _ => "used",
    };
}
