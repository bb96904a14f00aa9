using System.Numerics;

namespace ImageCluster.Imaging.Operations;

/// <summary>
/// The leaves of one shard of the guest's disk, set by any threads in any order; what is never set is zeros. Holds 32 bytes for each
/// leaf set so far at most, so a shard that is given to a worker, or runs of about 512 MiB, are what to use it for.
/// </summary>
public sealed class GuestDigestShard
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<long, GuestHash> _leaves = [];
    private readonly long _firstLeaf;
    private readonly long _endLeaf;
    private readonly bool _endsDisk;

    /// <param name="start">Guest offset in bytes, a multiple of <see cref="GuestDigest.LeafLength"/>.</param>
    /// <param name="length">Bytes, 1 or more; a multiple too, except where the disk ends.</param>
    /// <param name="virtualSize">Bytes of the whole disk.</param>
    public GuestDigestShard(long start, long length, long virtualSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, virtualSize - start);
        _endsDisk = start + length == virtualSize;
        if (start % GuestDigest.LeafLength != 0 || (length % GuestDigest.LeafLength != 0 && !_endsDisk))
        {
            throw new ArgumentException($"A shard of the digest must cover whole leaves of {GuestDigest.LeafLength:#,0} bytes.", nameof(start));
        }

        _firstLeaf = start / GuestDigest.LeafLength;
        _endLeaf = GuestDigest.LeafCount(start + length);
    }

    /// <summary>Sets the leaf at guest offset <paramref name="offset"/> (bytes, a multiple of the leaf's length, in the shard).</summary>
    public void SetLeaf(long offset, GuestHash hash)
    {
        (long leaf, long rest) = Math.DivRem(offset, GuestDigest.LeafLength);
        if (rest != 0 || leaf < _firstLeaf || leaf >= _endLeaf)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, "Not the start of a leaf of this shard.");
        }

        lock (_lock)
        {
            _leaves[leaf] = hash;
        }
    }

    /// <summary>
    /// The shard's hashes, as few as alignment allows: one where the shard is 2^k MiB at a multiple of its length, or the disk's end
    /// cuts it short.
    /// </summary>
    public IReadOnlyList<GuestDigestPart> Close()
    {
        GuestDigestPart[] leaves;
        lock (_lock)
        {
            leaves = [.. _leaves.Select(pair => new GuestDigestPart(pair.Key, 0, pair.Value))];
        }

        var parts = new List<GuestDigestPart>(1);
        ReadOnlySpan<GuestDigestPart> rest = leaves;
        for (long leaf = _firstLeaf; leaf < _endLeaf;)
        {
            int level = Math.Min(LevelThatCovers(_endLeaf - leaf), leaf == 0 ? GuestDigest.MaxLevel : BitOperations.TrailingZeroCount(leaf));
            long end = leaf + (1L << level);
            int count = 0;
            while (count < rest.Length && rest[count].Leaf < end)
            {
                count++;
            }

            parts.Add(new GuestDigestPart(leaf, level, GuestDigest.Fold(rest[..count], leaf, level)));
            rest = rest[count..];
            leaf = end;
        }

        return parts;
    }

    // Behind the disk's end all is zeros, so a node there may reach past the shard; elsewhere it must not.
    private int LevelThatCovers(long leaves)
    {
        int floor = BitOperations.Log2((ulong)leaves);
        return _endsDisk && !BitOperations.IsPow2(leaves) ? floor + 1 : floor;
    }
}
