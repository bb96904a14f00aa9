namespace ImageCluster.Imaging.Encryption;

/// <summary>Everything about a disk's encryption but its key.</summary>
/// <param name="Algorithm">The block cipher.</param>
/// <param name="Mode">How it is chained within a sector.</param>
/// <param name="Vector">Where a sector's chain starts.</param>
/// <param name="VectorDigest">For <see cref="VectorAlgorithm.Essiv"/>: what hashes the key; otherwise of no meaning.</param>
internal sealed record CipherSpec(BlockAlgorithm Algorithm, SectorMode Mode, VectorAlgorithm Vector, DigestAlgorithm? VectorDigest = null)
{
    /// <summary>Length of the disk's key in bytes: XTS takes two keys.</summary>
    public int KeyLength => Mode == SectorMode.Xts ? 2 * Algorithm.KeyLength : Algorithm.KeyLength;

    /// <summary>The cipher that encrypts sector numbers for ESSIV: that of the same family whose key is as long as the digest (as with dm-crypt); null where there is none.</summary>
    public BlockAlgorithm? EssivAlgorithm => VectorDigest is null ? null : BlockAlgorithm.Find(Algorithm.Family, VectorDigest.Length);

    public static string NameOf(SectorMode mode) => mode switch
    {
        SectorMode.Ecb => "ecb",
        SectorMode.Cbc => "cbc",
        SectorMode.Xts => "xts",
        _ => "ctr",
    };

    public static SectorMode? FindMode(string name) => name switch
    {
        "ecb" => SectorMode.Ecb,
        "cbc" => SectorMode.Cbc,
        "xts" => SectorMode.Xts,
        "ctr" => SectorMode.Ctr,
        _ => null,
    };

    public static string NameOf(VectorAlgorithm vector) => vector switch
    {
        VectorAlgorithm.Plain => "plain",
        VectorAlgorithm.Plain64 => "plain64",
        _ => "essiv",
    };

    public static VectorAlgorithm? FindVector(string name) => name switch
    {
        "plain" => VectorAlgorithm.Plain,
        "plain64" => VectorAlgorithm.Plain64,
        "essiv" => VectorAlgorithm.Essiv,
        _ => null,
    };
}
