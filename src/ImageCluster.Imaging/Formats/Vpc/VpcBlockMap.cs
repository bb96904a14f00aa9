using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vpc;

/// <summary>
/// The block allocation table (BAT) of a dynamic disk: for each block the sector where its bitmap starts, behind which its data
/// follow. New blocks go to the end, over the footer, which is written anew behind them.
/// </summary>
internal sealed class VpcBlockMap(IBlockFile file, VpcFooter footer, VpcDynamicHeader header) : IWritableBlockMap
{
    private const int SectorSize = 512;

    private readonly TableCache _cache = new(file);
    private readonly EntryTable _table = new("block allocation table", header.TableOffset, header.MaxTableEntries, sizeof(uint), BigEndian: true);
    private readonly Lock _allocating = new();
    private readonly SparseBits _marked = new();
    private long _free;

    public long BlockSize => header.BlockSize;

    public bool WantsWriteBack => _cache.IsFull;

    /// <summary>
    /// Goes through the table once for the end of what is in use. A file that ends before that has lost data.
    /// </summary>
    public void FindEnd()
    {
        _cache.RequireWhole(_table);
        long end = RoundUp(_table.Offset + _table.Length);
        for (long block = 0; block < _table.Count; block++)
        {
            uint sector = (uint)_cache.Read(_table, block);
            if (sector != VpcDynamicHeader.Unallocated)
            {
                end = Math.Max(end, sector * (long)SectorSize + header.BitmapSize + BlockSize);
            }
        }

        if (end > file.Length)
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name,
                "block-vpc: free_data_block_offset points after the end of file. The image has been truncated.");
        }

        _free = end;
    }

    public BlockPlace Find(long block)
    {
        uint sector = (uint)_cache.Read(_table, block);
        return sector == VpcDynamicHeader.Unallocated ? BlockPlace.Absent : BlockPlace.Data(sector * (long)SectorSize + header.BitmapSize);
    }

    /// <summary>Reads 64 bits of a block's sector bitmap: the highest is the first sector's, and set where the sector is in this file.</summary>
    /// <param name="dataOffset">Where the block's data start.</param>
    /// <param name="word">Which 64 sectors.</param>
    public ulong BitmapWord(long dataOffset, int word) =>
        _cache.Read(new EntryTable("sector bitmap", dataOffset - header.BitmapSize, header.BitmapSize / sizeof(ulong), sizeof(ulong), BigEndian: true), word);

    public long Claim(long block)
    {
        lock (_allocating)
        {
            BlockPlace place = Find(block);
            if (place.HostOffset < 0)
            {
                return Allocate(block);
            }

            if (_marked.Add(block))
            {
                MarkPresent(place.HostOffset);
            }

            return place.HostOffset;
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
        long sector = _free / SectorSize;
        if (sector >= VpcDynamicHeader.Unallocated)
        {
            throw new ImageException(ImageErrorKind.Limit, file.Name, "The VHD image cannot grow any more: its table counts sectors with 32 bits");
        }

        long data = _free + header.BitmapSize;
        long end = data + BlockSize;
        if (file.Length > data)
        {
            file.WriteZeroes(data, BlockSize, ZeroMode.MayUnmap);
        }

        file.Write(end, footer.Raw);
        if (file.CanResize)
        {
            file.SetLength(end + VpcFooter.Length);
        }

        MarkPresent(data);
        _marked.Add(block);
        _cache.Write(_table, block, (ulong)sector);
        _free = end;
        return data;
    }

    // Every sector of a block that is written counts as present, as QEMU has it: readers that heed the bitmap must see what is written.
    private void MarkPresent(long dataOffset)
    {
        Span<byte> bits = stackalloc byte[SectorSize];
        bits.Fill(0xff);
        for (long at = dataOffset - header.BitmapSize; at < dataOffset; at += bits.Length)
        {
            file.Write(at, bits);
        }
    }

    private static long RoundUp(long offset) => (offset + SectorSize - 1) & -SectorSize;
}
