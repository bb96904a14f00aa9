namespace ImageCluster.Jobs.Execution;

/// <summary>Where a job stands.</summary>
public enum JobPhase
{
    /// <summary>There is no such job.</summary>
    None,

    /// <summary>Submitted: images are looked at, and it is planned.</summary>
    Planning,

    /// <summary>At the work of a stage.</summary>
    Working,

    /// <summary>Failed or cancelled; some workers may still be at it.</summary>
    Stopping,

    /// <summary>Failed or cancelled; what it left is removed.</summary>
    CleaningUp,

    /// <summary>Over; its images may still be held.</summary>
    Ended,
}
