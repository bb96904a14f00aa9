namespace ImageCluster.Work.Targets;

/// <summary>Names of what ImageCluster itself leaves in a target root: no source is looked for there.</summary>
public static class OwnNames
{
    /// <summary>The directory for journals and reports.</summary>
    public const string JournalDirectory = ".imagecluster";

    /// <summary>How the name of a directory ends in which a target is being written.</summary>
    public const string UnfinishedSuffix = ".imagecluster-partial";

    /// <summary>The file in such a directory that says what the target is made from.</summary>
    public const string Note = ".imagecluster-note";

    /// <summary>True for the name of a directory that scans leave out.</summary>
    public static bool IsOwn(string name) => name == JournalDirectory || name.EndsWith(UnfinishedSuffix, StringComparison.Ordinal);
}
