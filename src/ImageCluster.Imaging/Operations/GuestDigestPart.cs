namespace ImageCluster.Imaging.Operations;

/// <summary>The hash of an aligned range of the guest's disk: what a shard adds to the <see cref="GuestDigest"/> of the whole.</summary>
/// <param name="Leaf">Number of the first leaf: guest offset divided by <see cref="GuestDigest.LeafLength"/>; a multiple of 2^<paramref name="Level"/>.</param>
/// <param name="Level">The range has 2^Level leaves; 0 to <see cref="GuestDigest.MaxLevel"/>.</param>
/// <param name="Hash">The node's hash.</param>
public readonly record struct GuestDigestPart(long Leaf, int Level, GuestHash Hash);
