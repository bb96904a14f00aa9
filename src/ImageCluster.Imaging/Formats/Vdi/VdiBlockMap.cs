using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vdi;

/// <summary>
/// The block map: for each MiB of the guest the number of the block in the file that holds it. New blocks are taken one after the
/// other, because QEMU and VirtualBox take the count of allocated blocks for the number of the next one.
/// </summary>
internal sealed class VdiBlockMap(IBlockFile file, VdiHeader header) : IWritableBlockMap
{
    private readonly TableCache _cache = new(file);
    private readonly EntryTable _table = new("block map", header.BlockMapOffset, header.BlocksInImage, sizeof(uint));
    private readonly Lock _allocating = new();
    private long _next = -1;
    private uint _countInFile = header.BlocksAllocated;

    public long BlockSize => VdiHeader.BlockSize;

    public long Count => header.BlocksInImage;

    public bool WantsWriteBack => _cache.IsFull;

    /// <summary>The number in the header of blocks that have a place.</summary>
    public uint CountInHeader => _countInFile;

    public BlockPlace Find(long block)
    {
        uint entry = this[block];
        return entry >= VdiHeader.Discarded ? BlockPlace.Absent : BlockPlace.Data(HostOf(entry));
    }

    /// <summary>The entry as it stands.</summary>
    public uint this[long block]
    {
        get => (uint)_cache.Read(_table, block);
        set => _cache.Write(_table, block, value);
    }

    /// <summary>Where block number <paramref name="index"/> of the file starts, bytes.</summary>
    public long HostOf(long index) => header.DataOffset + index * VdiHeader.BlockSize;

    public long Claim(long block)
    {
        if (Find(block) is { HostOffset: >= 0 } found)
        {
            return found.HostOffset;
        }

        lock (_allocating)
        {
            if (Find(block) is { HostOffset: >= 0 } place)
            {
                return place.HostOffset;
            }

            if (_next < 0)
            {
                _next = FirstFree();
            }

            if (_next >= VdiHeader.Discarded)
            {
                throw new ImageException(ImageErrorKind.Limit, file.Name, "No block number is left in the VDI image; check -r leaks closes its gaps");
            }

            long host = HostOf(_next);
            GrowTo(host);
            this[block] = (uint)_next++;
            return host;
        }
    }

    public void WriteBack()
    {
        lock (_allocating)
        {
            if (!_cache.IsDirty)
            {
                return;
            }

            if (_next >= 0)
            {
                // Before the entries: were it the other way round, a crash in between would let the next block be taken twice.
                WriteCount((uint)_next);
                file.Flush();
            }

            _cache.WriteBack();
            file.Flush();
        }
    }

    /// <summary>Sets the count in the header, and with it the number of the next block.</summary>
    public void WriteCount(uint count)
    {
        VdiHeader.WriteBlocksAllocated(file, count);
        _countInFile = count;
        _next = count;
    }

    /// <summary>Fails where the file does not hold the whole block map.</summary>
    public void RequireWhole() => _cache.RequireWhole(_table);

    private void GrowTo(long host)
    {
        // What lies behind the last block, if anything does, is no zeros for certain.
        if (file.Length > host || !file.CanResize)
        {
            file.WriteZeroes(host, VdiHeader.BlockSize, ZeroMode.MayUnmap);
        }

        if (file.CanResize && file.Length < host + VdiHeader.BlockSize)
        {
            file.SetLength(host + VdiHeader.BlockSize);
        }
    }

    private long FirstFree()
    {
        RequireWhole();
        long next = _countInFile;
        for (long block = 0; block < Count; block++)
        {
            uint entry = this[block];
            if (entry < VdiHeader.Discarded)
            {
                next = Math.Max(next, entry + 1L);
            }
        }

        return next;
    }
}
