namespace ImageCluster.Api;

/// <summary>What can be done with a migration or job that is there.</summary>
public enum ActionKind
{
    /// <summary>Nothing new is started; what is in work is finished.</summary>
    Pause,

    Resume,

    /// <summary>Ends it; what it left unfinished is removed.</summary>
    Cancel,

    /// <summary>What failed or was cancelled is tried again.</summary>
    Retry,
}
