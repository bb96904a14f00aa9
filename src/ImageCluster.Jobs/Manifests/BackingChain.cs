namespace ImageCluster.Jobs.Manifests;

/// <summary>What becomes of a source's backing chain.</summary>
public enum BackingChain
{
    /// <summary>Each target holds the whole disk and has no backing file (<c>flatten</c>, the default).</summary>
    Flatten,

    /// <summary>
    /// Each image of a chain is converted for itself and the target refers to its base's target (<c>keep</c>). The base must be among
    /// the sources and the target's format must know backing files.
    /// </summary>
    Keep,
}
