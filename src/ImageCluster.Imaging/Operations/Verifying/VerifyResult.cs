namespace ImageCluster.Imaging.Operations.Verifying;

/// <summary>What reading a disk back showed.</summary>
/// <param name="Digest">The digest of the guest's bytes; null where a difference ended the reading, shards were left out, or none was taken.</param>
/// <param name="DifferenceAt">Guest offset in bytes of the lowest difference found (of its 512-byte sector), or null where there is none.</param>
public readonly record struct VerifyResult(GuestDigest? Digest, long? DifferenceAt)
{
    public bool Identical => DifferenceAt is null;
}
