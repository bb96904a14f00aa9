namespace ImageCluster.Imaging.Operations;

/// <summary>Puts the hashes of shards together to the digest of the whole disk. Any thread, any order; what is never added is zeros.</summary>
public sealed class GuestDigestTree
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<long, GuestDigestPart> _parts = [];
    private readonly long _virtualSize;

    /// <param name="virtualSize">Bytes of the guest's disk, 0 or more.</param>
    public GuestDigestTree(long virtualSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(virtualSize);
        _virtualSize = virtualSize;
    }

    /// <summary>Adds a part, as <see cref="GuestDigestShard.Close"/> gave it. The same part twice is the same as once.</summary>
    public void Add(GuestDigestPart part)
    {
        if (part.Level is < 0 or > GuestDigest.MaxLevel || part.Leaf < 0 || (part.Leaf & ((1L << part.Level) - 1)) != 0)
        {
            throw new ArgumentException("The part is not aligned to its length.", nameof(part));
        }

        lock (_lock)
        {
            if (_parts.TryGetValue(part.Leaf, out GuestDigestPart known) && known != part)
            {
                throw new ArgumentException($"Another hash is known for leaf {part.Leaf}.", nameof(part));
            }

            _parts[part.Leaf] = part;
        }
    }

    public void Add(IEnumerable<GuestDigestPart> parts)
    {
        foreach (GuestDigestPart part in parts)
        {
            Add(part);
        }
    }

    /// <exception cref="ArgumentException">Parts overlap or reach past the disk.</exception>
    public GuestDigest Finish() => GuestDigest.FromTop(_virtualSize, Top().Hash);

    /// <summary>The one part that covers the whole disk.</summary>
    /// <exception cref="ArgumentException">Parts overlap or reach past the disk.</exception>
    public GuestDigestPart Top()
    {
        GuestDigestPart[] parts;
        lock (_lock)
        {
            parts = [.. _parts.Values];
        }

        int top = GuestDigest.TopLevel(_virtualSize);
        if (parts.Length > 0 && parts[^1].Leaf >> top != 0)
        {
            throw new ArgumentException($"A part at leaf {parts[^1].Leaf} lies behind the disk's end.");
        }

        return new GuestDigestPart(0, top, GuestDigest.Fold(parts, 0, top));
    }
}
