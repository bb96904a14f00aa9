namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Hands out the clusters of an image that is being made, each where QEMU's allocator (qcow2-refcount.c) would put it, so that an image has
/// the layout that qemu-img gives it: first fit from a free index on; a refcount block where the first cluster that it counts is
/// wanted; a larger refcount table, with the blocks that count it, at the next block's border. Numbers are cluster indexes unless a
/// name says otherwise. Nothing is written to the file here. Not safe for more than one thread at a time.
/// </summary>
internal sealed class NewImageSpace
{
    private readonly Layout _layout;
    private readonly string? _file;
    private readonly ClusterRanges _used = new();
    private readonly SortedDictionary<long, long> _blocks = [];
    private long _freeIndex;
    private long _floor;
    private long _freeByte;
    private ulong _sharers;

    /// <summary>The start of every image: header, one cluster of refcount table, one refcount block.</summary>
    /// <param name="layout">The image's geometry.</param>
    /// <param name="file">For messages.</param>
    public NewImageSpace(Layout layout, string? file)
    {
        _layout = layout;
        _file = file;
        _used.Add(0, 3);
        _blocks[0] = 2;
        _freeIndex = 3;
    }

    /// <summary>Everything that was handed out, and the refcount structures.</summary>
    public ClusterRanges Used => _used;

    /// <summary>Refcount blocks by their index in the refcount table.</summary>
    public IReadOnlyDictionary<long, long> RefcountBlocks => _blocks;

    public long RefcountTable { get; private set; } = 1;

    public long RefcountTableClusters { get; private set; } = 1;

    /// <summary>Nothing that was handed out reaches beyond this index.</summary>
    public long End => _used.End;

    private long TableEntries => RefcountTableClusters << (_layout.ClusterBits - 3);

    /// <summary>Reserves <paramref name="count"/> clusters in a row (qcow2_alloc_clusters) and returns the first.</summary>
    public long Allocate(long count)
    {
        while (true)
        {
            long first = Search(count);
            if (TryMark(first, count))
            {
                return first;
            }
        }
    }

    /// <summary>Reserves as many of <paramref name="count"/> clusters as are free in a row from <paramref name="first"/> on (qcow2_alloc_clusters_at).</summary>
    public long AllocateAt(long first, long count)
    {
        while (true)
        {
            long free = _used.FreeAt(first, count);
            if (free == 0 || TryMark(first, free))
            {
                return free;
            }
        }
    }

    /// <summary>
    /// Reserves <paramref name="length"/> bytes, at most one cluster, for a compressed cluster, right behind the one before where that is
    /// possible (qcow2_alloc_bytes); returns the host offset in bytes.
    /// </summary>
    public long AllocateBytes(int length)
    {
        long offset = _sharers >= _layout.RefcountMax ? 0 : _freeByte;
        while (true)
        {
            long room = offset == 0 ? 0 : _layout.ClusterSize - _layout.OffsetInCluster(offset);
            if (room < length)
            {
                long cluster = Search(1);
                long bytes = cluster << _layout.ClusterBits;
                bool goesOn = room > 0 && ((offset + _layout.ClusterSize - 1) & -_layout.ClusterSize) == bytes;
                offset = goesOn ? offset : bytes;
                if (!TryMark(cluster, 1))
                {
                    // Another round with a new place: QEMU forgets the old one too.
                    offset = 0;
                    continue;
                }

                _sharers = 0;
            }

            _sharers++;
            _freeByte = offset + length;
            if (_layout.OffsetInCluster(_freeByte) == 0)
            {
                _freeByte = 0;
            }

            return offset;
        }
    }

    /// <summary>Nothing below <paramref name="end"/> will be handed out any more.</summary>
    public void SkipTo(long end)
    {
        _used.Add(0, end);
        _floor = Math.Max(_floor, end);
        _freeByte = 0;
    }

    /// <summary>
    /// Makes room for <paramref name="additional"/> clusters behind <paramref name="start"/> by placing there all the refcount blocks that they need, and a
    /// new refcount table (qcow2_refcount_area); returns the first cluster behind it. The old table's clusters become free.
    /// </summary>
    /// <param name="start">First cluster of the area, and of nothing else that is in use.</param>
    /// <param name="additional">Clusters that will follow and must be countable.</param>
    /// <param name="exact">No larger than needed.</param>
    /// <param name="newBlock">A block (index in the table, cluster) that is in no table yet.</param>
    public long PlaceRefcountArea(long start, long additional, bool exact, (long Index, long Cluster)? newBlock = null)
    {
        (long total, _) = RefcountMath.Needed(_layout, start + additional, generous: !exact);
        long entriesPerCluster = _layout.ClusterSize / sizeof(ulong);
        long tableSize = exact ? total : total + RefcountMath.DivideUp(total, 2);
        long tableClusters = RefcountMath.DivideUp(tableSize, entriesPerCluster);
        CheckTableSize(tableClusters);
        if (newBlock is { } block)
        {
            _blocks[block.Index] = block.Cluster;
        }

        long next = start;
        for (long index = start >> _layout.RefcountBlockBits; index < total; index++)
        {
            if (!_blocks.ContainsKey(index))
            {
                _blocks[index] = next++;
            }
        }

        (long oldTable, long oldClusters) = (RefcountTable, RefcountTableClusters);
        RefcountTable = next;
        RefcountTableClusters = tableClusters;
        long end = next + tableClusters;
        _used.Add(start, end);
        Free(oldTable, oldClusters);
        return end;
    }

    /// <summary>
    /// Places, at the end, the refcount blocks that <paramref name="counted"/> clusters lack (those whose room came from elsewhere), and a
    /// larger refcount table where they need one; adds what is placed to <paramref name="counted"/>.
    /// </summary>
    public void PlaceMissingBlocks(ClusterRanges counted)
    {
        for (bool complete = false; !complete;)
        {
            complete = true;
            foreach (long index in MissingBlocks(counted))
            {
                long block = TakeAtEnd(1);
                counted.Add(block, block + 1);
                _blocks[index] = block;
                complete = false;
            }

            long needed = _blocks.Keys.Last() + 1;
            if (needed > TableEntries)
            {
                long clusters = RefcountMath.DivideUp(needed, _layout.ClusterSize / sizeof(ulong));
                CheckTableSize(clusters);
                counted.Remove(RefcountTable, RefcountTable + RefcountTableClusters);
                RefcountTable = TakeAtEnd(clusters);
                RefcountTableClusters = clusters;
                counted.Add(RefcountTable, RefcountTable + clusters);
                complete = false;
            }
        }
    }

    private List<long> MissingBlocks(ClusterRanges counted)
    {
        List<long> missing = [];
        foreach ((long start, long end) in counted.Ranges)
        {
            for (long index = start >> _layout.RefcountBlockBits; index <= (end - 1) >> _layout.RefcountBlockBits; index++)
            {
                if (!_blocks.ContainsKey(index) && (missing.Count == 0 || missing[^1] != index))
                {
                    missing.Add(index);
                }
            }
        }

        return missing;
    }

    private long TakeAtEnd(long count)
    {
        long first = End;
        _used.Add(first, first + count);
        return first;
    }

    private void CheckTableSize(long tableClusters)
    {
        if (tableClusters << _layout.ClusterBits > Header.MaxRefcountTableBytes)
        {
            throw new ImageException(ImageErrorKind.Limit, _file, "The image would need a larger refcount table than the format allows: File too large");
        }
    }

    private void Free(long first, long count)
    {
        long end = first + count;
        first = Math.Max(first, _floor);
        if (first < end)
        {
            _used.Remove(first, end);
            _freeIndex = Math.Min(_freeIndex, first);
        }
    }

    private long Search(long count)
    {
        long first = _used.FirstFree(_freeIndex, count);
        _freeIndex = first + count;
        return first;
    }

    // Takes the clusters (update_refcount). False where a refcount block had to be placed first: the caller searches again.
    private bool TryMark(long first, long count)
    {
        long end = first + count;
        for (long at = first; at < end;)
        {
            long index = at >> _layout.RefcountBlockBits;
            if (!_blocks.ContainsKey(index))
            {
                PlaceBlock(at);
                _freeIndex = Math.Min(_freeIndex, first);
                _used.Remove(first, at);
                return false;
            }

            long next = Math.Min(end, (index + 1) << _layout.RefcountBlockBits);
            _used.Add(at, next);
            at = next;
        }

        return true;
    }

    // alloc_refcount_block.
    private void PlaceBlock(long cluster)
    {
        long index = cluster >> _layout.RefcountBlockBits;
        long block = Search(1);
        if (block >> _layout.RefcountBlockBits == index)
        {
            _used.Add(block, block + 1);
        }
        else if (!TryMark(block, 1))
        {
            return;
        }

        if (index < TableEntries)
        {
            _blocks[index] = block;
            return;
        }

        long blocksUsed = RefcountMath.DivideUp(Math.Max(cluster + 1, block), _layout.RefcountBlockEntries);
        PlaceRefcountArea(blocksUsed << _layout.RefcountBlockBits, 0, exact: false, (index, block));
    }
}
