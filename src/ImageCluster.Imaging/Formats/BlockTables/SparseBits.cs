using System.Numerics;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>
/// A set of numbers (clusters in use) that takes memory for what is in it, not for the largest number that an image claims.
/// </summary>
internal sealed class SparseBits
{
    // Small: a hostile table has entries far apart, each of which costs a page.
    private const int BitsPerPage = 1 << 9;
    private readonly Dictionary<long, ulong[]> _pages = [];

    public long Count { get; private set; }

    /// <summary>False where the number was in the set already.</summary>
    public bool Add(long number)
    {
        (long page, int bit) = (number / BitsPerPage, (int)(number % BitsPerPage));
        if (!_pages.TryGetValue(page, out ulong[]? bits))
        {
            _pages[page] = bits = new ulong[BitsPerPage / 64];
        }

        ulong mask = 1UL << (bit & 63);
        if ((bits[bit >> 6] & mask) != 0)
        {
            return false;
        }

        bits[bit >> 6] |= mask;
        Count++;
        return true;
    }

    /// <summary>How many numbers of the set are below <paramref name="limit"/>.</summary>
    public long CountBelow(long limit)
    {
        long count = 0;
        foreach ((long page, ulong[] bits) in _pages)
        {
            for (int word = 0; word < bits.Length; word++)
            {
                long inside = limit - page * BitsPerPage - word * 64L;
                count += inside >= 64 ? BitOperations.PopCount(bits[word])
                    : inside > 0 ? BitOperations.PopCount(bits[word] & ((1UL << (int)inside) - 1)) : 0;
            }
        }

        return count;
    }

    public bool Contains(long number)
    {
        int bit = (int)(number % BitsPerPage);
        return _pages.TryGetValue(number / BitsPerPage, out ulong[]? bits) && (bits[bit >> 6] >> (bit & 63) & 1) != 0;
    }
}
