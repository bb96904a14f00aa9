namespace ImageCluster.Imaging.Encryption;

/// <summary>How a sector's initialization vector is derived from its number: QEMU's IV generators.</summary>
internal enum VectorAlgorithm
{
    /// <summary>The number's low 32 bits, little-endian: it repeats every 2 TiB.</summary>
    Plain,

    /// <summary>The number's 64 bits, little-endian.</summary>
    Plain64,

    /// <summary>The number encrypted with a hash of the key.</summary>
    Essiv,
}
