namespace ImageCluster.Jobs.Plans;

public enum PlanRefusalKind
{
    /// <summary>No image matches.</summary>
    NothingToDo,

    /// <summary>The pattern gives a source no usable target name.</summary>
    BadTargetName,

    /// <summary>Two sources have one target, or one target lies where another needs a directory.</summary>
    DuplicateTarget,

    /// <summary>A target is a file that the migration reads.</summary>
    TargetIsSource,

    /// <summary>A target is there and the manifest says fail.</summary>
    TargetExists,

    /// <summary>A chain is to be kept and its base is not among what is converted.</summary>
    BaseNotMigrated,

    /// <summary>The targets need more room than there is.</summary>
    NoSpace,

    /// <summary>A target is where nothing can be written.</summary>
    TargetUnusable,
}
