using System.Buffers.Binary;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// The refcounts of an image: table and blocks. Finds free clusters and grows blocks and table as QEMU does, so that images come out
/// alike. Knows nothing of when a count may change: that is <see cref="Allocator"/>'s. For one thread at a time.
/// </summary>
internal sealed partial class Refcounts
{
    /// <summary>Host offsets are below 2^56.</summary>
    private const int OffsetBits = 56;

    private const ulong TableOffsetMask = ~511UL;

    private readonly Metadata _metadata;
    private readonly Layout _layout;
    private readonly RefcountBlocks _blocks;
    private readonly int _blockBits;
    private ulong[] _table;

    // No cluster below this one is free.
    private long _firstFree;

    // Clusters that are handed out to nobody: see KeepOut.
    private long _keptFirst;
    private long _keptEnd;

    // Offsets of the blocks, made when it is first asked for.
    private HashSet<long>? _blockOffsets;

    public Refcounts(Metadata metadata)
    {
        _metadata = metadata;
        _layout = metadata.Layout;
        Overlap = new MetadataOverlap(metadata, this);
        _blocks = new RefcountBlocks(metadata.File, metadata.Layout, Overlap);
        _blockBits = _layout.RefcountBlockBits;
        _table = ReadTable(metadata);
    }

    /// <summary>What stands where nothing else may be written.</summary>
    public MetadataOverlap Overlap { get; }

    /// <summary>The table's entries, as far as the file has them; those behind are zero.</summary>
    public ReadOnlySpan<ulong> Table => _table;

    /// <summary>
    /// True after a failure that leaves it open what the file holds: what is here must not be used any more.
    /// </summary>
    public bool Broken { get; private set; }

    /// <summary>True where a refcount block stands at this offset.</summary>
    public bool IsBlock(long offset)
    {
        if (_blockOffsets is null)
        {
            _blockOffsets = [];
            foreach (ulong entry in _table)
            {
                if (entry != 0)
                {
                    _blockOffsets.Add((long)(entry & TableOffsetMask));
                }
            }
        }

        return _blockOffsets.Contains(offset);
    }

    /// <summary>0 where no block describes the cluster.</summary>
    /// <exception cref="ImageException">The block's offset is not aligned.</exception>
    public ulong Get(long cluster)
    {
        long block = BlockOffset(cluster >> _blockBits);
        return block == 0 ? 0 : RefcountArray.Get(_blocks.Get(block), _layout.RefcountOrder, IndexInBlock(cluster));
    }

    /// <summary>A block describes the cluster.</summary>
    public bool Counts(long cluster) => BlockOffset(cluster >> _blockBits) != 0;

    /// <summary>Refcounts of the block with number <paramref name="index"/>; empty where there is no block.</summary>
    public ReadOnlySpan<byte> Block(long index)
    {
        long offset = BlockOffset(index);
        return offset == 0 ? [] : _blocks.Get(offset);
    }

    /// <summary>One behind the last cluster, from <paramref name="from"/> on, that has references; <paramref name="from"/> where none has.</summary>
    public long EndOfUsed(long from)
    {
        long end = from;
        for (long index = from >> _blockBits; index < _table.Length; index++)
        {
            ReadOnlySpan<byte> block = Block(index);
            int last = 1 << _blockBits;
            int at = index == from >> _blockBits ? IndexInBlock(from) : 0;
            while (!block.IsEmpty && at < last && (at = RefcountArray.IndexOfNonzero(block, _layout.RefcountOrder, at, last)) < last)
            {
                at = RefcountArray.IndexOfZero(block, _layout.RefcountOrder, at, last);
                end = (index << _blockBits) + at;
            }
        }

        return end;
    }

    /// <summary>From now on no cluster from <paramref name="first"/> to the one before <paramref name="end"/> is taken but by <see cref="Claim"/>.</summary>
    public void KeepOut(long first, long end) => (_keptFirst, _keptEnd) = (first, end);

    /// <summary>
    /// Counts one reference to each of the clusters, which somebody else has chosen and nobody referred to. The same again changes nothing.
    /// </summary>
    /// <exception cref="ImageException">A cluster has more references.</exception>
    public void Claim(long first, long count)
    {
        while (!Cover(first, count))
        {
            // Blocks were made; there may be more to make.
        }

        for (long cluster = first; cluster < first + count; cluster++)
        {
            ulong references = Get(cluster);
            if (references > 1)
            {
                throw _metadata.Signal($"Cluster {cluster} was to be free and has {references} references");
            }

            if (references == 0)
            {
                Set(cluster, 1);
            }
        }
    }

    /// <summary>The number of the first block from <paramref name="index"/> on that the table names; <see cref="long.MaxValue"/> where none follows.</summary>
    public long NextBlock(long index)
    {
        int found = index < _table.Length ? _table.AsSpan((int)index).IndexOfAnyExcept(0UL) : -1;
        return found < 0 ? long.MaxValue : index + found;
    }

    /// <summary>Takes the first run of <paramref name="count"/> free clusters and counts one reference to each. Returns the first cluster's number.</summary>
    /// <param name="count">1 or more.</param>
    /// <param name="limit">No cluster at or above this one is taken.</param>
    public long Allocate(long count, long limit = long.MaxValue)
    {
        _metadata.File.Tell("cluster_alloc");
        while (true)
        {
            long first = FindFree(count, limit);
            if (Cover(first, count))
            {
                Add(first, count);
                return first;
            }

            // Room was taken for blocks, maybe where the run lies: look again, from the same place.
            _firstFree = Math.Min(_firstFree, first);
        }
    }

    /// <summary>As <see cref="Allocate"/>, for metadata that is written at once. Returns the host offset in bytes.</summary>
    /// <exception cref="ImageException">The refcounts say that room is free in which other metadata stands; the image is marked.</exception>
    public long AllocateForMetadata(long count)
    {
        long offset = Allocate(count) << _layout.ClusterBits;
        Overlap.Require(offset, count << _layout.ClusterBits);
        return offset;
    }

    /// <summary>The first free cluster, not taken yet.</summary>
    public long PeekFree(long limit)
    {
        long cluster = FindFree(1, limit);
        _firstFree = cluster;
        return cluster;
    }

    /// <summary>Counts one reference more to each cluster. False: blocks had to be made, nothing was counted, whoever searched for room must search again.</summary>
    /// <exception cref="ImageException">A count is at its maximum; nothing was counted.</exception>
    public bool TryIncrease(long first, long count)
    {
        if (!Cover(first, count))
        {
            return false;
        }

        for (long cluster = first; cluster < first + count; cluster++)
        {
            if (Get(cluster) == _layout.RefcountMax)
            {
                throw new ImageException(ImageErrorKind.Limit, _metadata.File.Name,
                    $"Refcount of cluster {cluster} is at its maximum, {_layout.RefcountMax}")
                {
                    Hint = "Use qemu-img amend to increase the refcount entry width",
                };
            }
        }

        Add(first, count);
        return true;
    }

    /// <summary>
    /// Counts one reference less. Returns true where none is left. A cluster that has none already (a corrupt image) keeps none.
    /// </summary>
    public bool Decrease(long cluster)
    {
        ulong count = Get(cluster);
        if (count == 0)
        {
            return false;
        }

        Set(cluster, count - 1);
        return count == 1;
    }

    /// <summary>Sets the count of a cluster that a block describes.</summary>
    public void Set(long cluster, ulong count)
    {
        int index = IndexInBlock(cluster);
        int at = (int)(((long)index << _layout.RefcountOrder) >> 3);
        Span<byte> block = _blocks.Change(BlockOffset(cluster >> _blockBits), at, Math.Max(1, _layout.RefcountBits >> 3));
        RefcountArray.Set(block, _layout.RefcountOrder, index, count);
        if (count == 0)
        {
            _firstFree = Math.Min(_firstFree, cluster);
            _blocks.Forget(cluster << _layout.ClusterBits);
        }
    }

    /// <summary>Writes the blocks that changed.</summary>
    public void Write() => _blocks.WriteChanged();

    private static ulong[] ReadTable(Metadata metadata)
    {
        Header header = metadata.Header;
        long entries = (long)header.RefcountTableClusters << (header.ClusterBits - 3);
        long inFile = Math.Max(0, metadata.File.Length - header.RefcountTableOffset + 7) / sizeof(ulong);
        ulong[] table = new ulong[Math.Min(entries, inFile)];
        metadata.File.ReadPadded(header.RefcountTableOffset, MemoryMarshal.AsBytes(table.AsSpan()));
        if (BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(table, table);
        }

        return table;
    }

    private long Capacity => (long)_metadata.Header.RefcountTableClusters << (_layout.ClusterBits - 3);

    private int IndexInBlock(long cluster) => (int)(cluster & ((1L << _blockBits) - 1));

    private long BlockOffset(long index)
    {
        ulong entry = index < _table.Length ? _table[index] & TableOffsetMask : 0;
        return (entry & (ulong)(_layout.ClusterSize - 1)) == 0 && entry <= long.MaxValue
            ? (long)entry
            : throw _metadata.Signal(BadEntry.RefcountBlock(entry, index));
    }

    private void Add(long first, long count)
    {
        for (long cluster = first; cluster < first + count; cluster++)
        {
            Set(cluster, Get(cluster) + 1);
        }
    }

    // The first run of free clusters, all of which count as taken for the next search.
    private long FindFree(long count, long limit)
    {
        long first = Search(count, limit);
        if (first < _keptEnd && first + count > _keptFirst)
        {
            _firstFree = _keptEnd;
            first = Search(count, limit);
        }

        return first;
    }

    private long Search(long count, long limit)
    {
        limit = Math.Min(limit, 1L << (OffsetBits - _layout.ClusterBits));
        long start = _firstFree;
        long at = start;
        while (at - start < count)
        {
            if (at + (count - (at - start)) > limit)
            {
                throw new ImageException(ImageErrorKind.NoSpace, _metadata.File.Name, "File too large") { Errno = Errno.FBig };
            }

            ReadOnlySpan<byte> block = Block(at >> _blockBits);
            long blockEnd = ((at >> _blockBits) + 1) << _blockBits;
            if (block.IsEmpty)
            {
                at = Math.Min(blockEnd, start + count);
                continue;
            }

            // Free up to here; on to the end of the free run in this block, or to the next free cluster.
            int index = IndexInBlock(at);
            int to = (int)Math.Min(1L << _blockBits, index + count - (at - start));
            int used = RefcountArray.IndexOfNonzero(block, _layout.RefcountOrder, index, to);
            if (used == to)
            {
                at += to - index;
                continue;
            }

            int free = RefcountArray.IndexOfZero(block, _layout.RefcountOrder, used, 1 << _blockBits);
            start = at = (at >> _blockBits << _blockBits) + free;
        }

        _firstFree = start + count;
        return start;
    }
}
