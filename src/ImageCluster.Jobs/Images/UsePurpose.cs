namespace ImageCluster.Jobs.Images;

/// <summary>
/// What an image is used for, which decides who else may use it meanwhile. The numbers are stored: they never change.
/// </summary>
public enum UsePurpose
{
    /// <summary>Its guest's bytes are read: as a source, in a chain, for a comparison.</summary>
    Read = 1,

    /// <summary>It is filled as the target of a convert.</summary>
    Fill = 2,

    /// <summary>It takes in the data of the images above it (a commit's base).</summary>
    Commit = 3,

    /// <summary>It is emptied after its data went into a base (a commit's top).</summary>
    Empty = 4,

    /// <summary>What differs in a new base is merged into it, then its backing file changes.</summary>
    Rebase = 5,

    // From here on: changes of the whole image by one command.
    Create = 16,
    Resize = 17,
    Amend = 18,
    SnapshotCreate = 19,
    SnapshotDelete = 20,
    SnapshotApply = 21,

    /// <summary>The name of its backing file is changed, its data is not looked at (<c>rebase -u</c>).</summary>
    Relink = 22,

    /// <summary><c>check -r</c>.</summary>
    Repair = 23,
}
