namespace ImageCluster.Jobs.Manifests;

/// <summary>What to do where a file has the target's name already.</summary>
public enum ExistingTarget
{
    /// <summary>Refuse the migration before a byte is written (<c>fail</c>, the default).</summary>
    Fail,

    /// <summary>Leave that image out (<c>skip</c>).</summary>
    Skip,

    /// <summary>Write beside it and put the finished image in its place (<c>replace</c>).</summary>
    Replace,
}
