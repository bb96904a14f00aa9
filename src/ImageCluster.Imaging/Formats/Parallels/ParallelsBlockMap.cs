using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Parallels;

/// <summary>The block allocation table (BAT), right behind the header: for each cluster where it stands, 0 for nowhere.</summary>
internal sealed class ParallelsBlockMap(IBlockFile file, ParallelsHeader header) : IWritableBlockMap
{
    private readonly TableCache _cache = new(file);
    private readonly EntryTable _table = new("block allocation table", ParallelsHeader.Length, header.Entries, sizeof(uint));
    private readonly Lock _allocating = new();
    private long _end = -1;

    public long BlockSize => header.ClusterSize;

    public long Count => header.Entries;

    public bool WantsWriteBack => _cache.IsFull;

    /// <summary>First host offset behind every cluster, bytes; known once <see cref="FindEnd"/> was called.</summary>
    public long End => _end;

    // The disk may be larger than its table; what lies behind reads as zeros.
    public BlockPlace Find(long block)
    {
        long host = block < Count ? HostOf(block) : 0;
        return host == 0 ? BlockPlace.Absent : BlockPlace.Data(host);
    }

    /// <summary>Where a cluster of the table starts in the file, bytes; 0 for nowhere.</summary>
    public long HostOf(long block) => (long)_cache.Read(_table, block) * header.EntryUnit;

    /// <summary>Takes a cluster's place from it.</summary>
    public void Clear(long block) => _cache.Write(_table, block, 0);

    /// <summary>Goes through the table once for the end of what is in use; fails where the file does not hold all of it.</summary>
    public void FindEnd()
    {
        _cache.RequireWhole(_table);
        long end = (long)header.DataOffset * ParallelsHeader.SectorSize;
        for (long block = 0; block < Count; block++)
        {
            long host = HostOf(block);
            if (host >= end)
            {
                end = host + BlockSize;
            }
        }

        _end = end;
    }

    public long Claim(long block)
    {
        lock (_allocating)
        {
            if (block >= Count)
            {
                throw new ImageException(ImageErrorKind.Corrupt, file.Name, $"The block allocation table has {Count} entries, the disk needs more");
            }

            long host = HostOf(block);
            return host != 0 ? host : Allocate(block);
        }
    }

    public void WriteBack()
    {
        lock (_allocating)
        {
            if (_cache.IsDirty)
            {
                // Blocks may have been added since the caller's flush: they must be there before an entry names them.
                file.Flush();
                _cache.WriteBack();
                file.Flush();
            }
        }
    }

    private long Allocate(long block)
    {
        long host = (_end + header.EntryUnit - 1) / header.EntryUnit * header.EntryUnit;
        if (host / header.EntryUnit > uint.MaxValue)
        {
            throw new ImageException(ImageErrorKind.Limit, file.Name, "The Parallels image cannot grow any more: its table counts with 32 bits");
        }

        if (file.Length > host || !file.CanResize)
        {
            // What lies behind the last cluster, if anything does, is no zeros for certain.
            file.WriteZeroes(host, BlockSize, ZeroMode.MayUnmap);
        }

        if (file.CanResize && file.Length < host + BlockSize)
        {
            file.SetLength(host + BlockSize);
        }

        _end = host + BlockSize;
        _cache.Write(_table, block, (ulong)(host / header.EntryUnit));
        return host;
    }
}
