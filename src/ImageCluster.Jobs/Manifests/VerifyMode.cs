namespace ImageCluster.Jobs.Manifests;

/// <summary>How a target is verified when it is finished.</summary>
public enum VerifyMode
{
    /// <summary>The target is read back and compared with the source, byte for byte (<c>compare</c>, the default).</summary>
    Compare,

    /// <summary>The target is read back and its digest compared with the one taken while converting (<c>digest</c>).</summary>
    Digest,

    /// <summary>Nothing is read back (<c>none</c>).</summary>
    None,
}
