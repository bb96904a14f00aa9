namespace ImageCluster.Api;

/// <summary>Why an operation was not carried out.</summary>
public enum RefusalReason
{
    /// <summary>It contradicts itself, or is not understood.</summary>
    Invalid,

    /// <summary>There is no such thing.</summary>
    NotFound,

    /// <summary>Not in this state, and never by waiting.</summary>
    Conflict,

    /// <summary>Somebody is in the way; trying again later can succeed.</summary>
    Busy,

    /// <summary>The token is missing or not the cluster's.</summary>
    Unauthorized,

    /// <summary>The cluster, or a part of it that is needed, cannot be reached now; trying again can succeed.</summary>
    Unavailable,

    /// <summary>A defect of the program.</summary>
    Internal,
}
