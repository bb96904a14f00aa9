using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>
/// The block allocation table (BAT): an entry a payload block and, behind each chunk of them, one for the chunk's sector bitmap, which only
/// differencing images use. New blocks go to the file's end, on a boundary of 1 MiB.
/// </summary>
internal sealed class VhdxBlockMap : IWritableBlockMap
{
    public const int MiB = 1 << 20;

    private const ulong StateMask = 7;
    private const ulong OffsetMask = 0xfffffffffff00000;
    private const long SectorsPerChunk = 1 << 23;

    private readonly IBlockFile _file;
    private readonly string _name;
    private readonly VhdxMetadata _metadata;
    private readonly VhdxRegions _regions;
    private readonly TableCache _cache;
    private readonly EntryTable _table;
    private readonly Lock _allocating = new();
    private readonly VhdxHeaders _headers;
    private readonly VhdxLogWriter _log;
    private long _end;
    private bool _begun;

    public VhdxBlockMap(IBlockFile file, string name, VhdxHeaders headers, VhdxMetadata metadata, VhdxRegions regions)
    {
        _file = file;
        _name = name;
        _headers = headers;
        _metadata = metadata;
        _regions = regions;
        _cache = new TableCache(file);
        _log = new VhdxLogWriter(file, headers);
        long entries = Count == 0 ? 0 : metadata.Parent is null ? IndexOf(Count - 1) + 1 : (IndexOf(Count - 1) / (ChunkRatio + 1) + 1) * (ChunkRatio + 1);
        if (entries * sizeof(ulong) > regions.Bat.Length)
        {
            throw new ImageException(ImageErrorKind.Corrupt, name,
                $"VHDX block allocation table has room for {regions.Bat.Length / sizeof(ulong)} entries, the disk needs {entries}");
        }

        _table = new EntryTable("block allocation table", regions.Bat.Start, entries, sizeof(ulong));
    }

    public long BlockSize => _metadata.BlockSize;

    /// <summary>Payload blocks of the disk.</summary>
    public long Count => (_metadata.DiskSize + BlockSize - 1) / BlockSize;

    public bool WantsWriteBack => _cache.IsFull;

    /// <summary>What children know this image by.</summary>
    public Guid DataWriteId => _headers.Current.DataWriteId;

    private long ChunkRatio => ChunkRatioOf(_metadata.LogicalSectorSize, _metadata.BlockSize);

    /// <summary>How many payload blocks one sector bitmap covers.</summary>
    public static long ChunkRatioOf(int sectorSize, int blockSize) => SectorsPerChunk * sectorSize / blockSize;

    /// <summary>An entry for a payload block.</summary>
    public static ulong Entry(VhdxBlockState state, long hostOffset) => (ulong)hostOffset | (ulong)state;

    public BlockPlace Find(long block)
    {
        ulong entry = EntryOf(block);
        VhdxBlockState state = (VhdxBlockState)(entry & StateMask);
        return state switch
        {
            VhdxBlockState.NotPresent => BlockPlace.Absent,
            VhdxBlockState.Undefined or VhdxBlockState.Zero or VhdxBlockState.Unmapped or VhdxBlockState.UnmappedOld => BlockPlace.Zero,
            _ => HasPlace(state) ? BlockPlace.Data(HostOf(entry, block)) : throw Corrupt(BadState(block, state)),
        };
    }

    /// <summary>True where only the block's sector bitmap knows which sectors are here.</summary>
    public bool IsPartial(long block) => (VhdxBlockState)(EntryOf(block) & StateMask) == VhdxBlockState.PartiallyPresent;

    /// <summary>
    /// Reads 64 bits of the sector bitmap: the lowest is the first sector's, and set where the sector is in this file.
    /// </summary>
    /// <param name="block">The block.</param>
    /// <param name="word">Which 64 sectors of the block.</param>
    public ulong BitmapWord(long block, int word)
    {
        long index = block / ChunkRatio * (ChunkRatio + 1) + ChunkRatio;
        ulong entry = _cache.Read(_table, index);
        if ((VhdxBlockState)(entry & StateMask) != VhdxBlockState.FullyPresent)
        {
            throw Corrupt($"VHDX BAT entry {index} names no sector bitmap for a block that is partially present");
        }

        long wordsPerBlock = BlockSize / _metadata.LogicalSectorSize / 64;
        EntryTable bitmap = new("sector bitmap", HostOf(entry, block), SectorsPerChunk / 64, sizeof(ulong));
        return _cache.Read(bitmap, block % ChunkRatio * wordsPerBlock + word);
    }

    public long Claim(long block)
    {
        lock (_allocating)
        {
            Begin();
            BlockPlace place = Find(block);
            return place.Kind == ExtentKind.Data ? place.HostOffset : Allocate(block);
        }
    }

    public void WriteBack()
    {
        lock (_allocating)
        {
            if (_cache.IsDirty)
            {
                List<(long, ReadOnlyMemory<byte>)> changes = [];
                _cache.Peek((offset, bytes) => changes.Add((offset, bytes)));
                _log.Commit(changes);
                _cache.MarkClean();
            }
        }
    }

    /// <summary>Goes through the table once: says what is wrong with its entries, and where the last block ends.</summary>
    /// <param name="strict">Two entries for one place are wrong too, since a write to one would change the other, and states that nothing would read.</param>
    /// <param name="finding">Called for each entry that is wrong.</param>
    public void Verify(bool strict, Action<string> finding)
    {
        _cache.RequireWhole(_table);
        _end = Math.Max(_regions.Bat.End, _regions.Metadata.End);
        long fileLength = _file.Length;
        SparseBits used = new();
        for (long block = 0; block < Count; block++)
        {
            ulong entry = EntryOf(block);
            VhdxBlockState state = (VhdxBlockState)(entry & StateMask);
            if (!HasPlace(state))
            {
                if (strict && (int)state is 4 or (int)VhdxBlockState.PartiallyPresent)
                {
                    finding(BadState(block, state));
                }

                continue;
            }

            ulong offset = entry & OffsetMask;
            if (offset > (ulong)(long.MaxValue - BlockSize))
            {
                finding($"VHDX BAT entry {IndexOf(block)} offset overflow.");
                continue;
            }

            Verify(block, (long)offset, fileLength, finding);
            _end = Math.Max(_end, (long)offset + BlockSize);
            if (strict && Overlaps(used, (long)offset))
            {
                finding($"VHDX BAT entry {IndexOf(block)} shares its place at offset {offset} with another");
            }
        }
    }

    private void Verify(long block, long offset, long fileLength, Action<string> finding)
    {
        // QEMU made images whose last block was only as long as the disk.
        long length = Math.Min(BlockSize, _metadata.DiskSize - block * BlockSize);
        if (offset >= fileLength)
        {
            finding($"VHDX BAT entry {IndexOf(block)} start offset {offset} points after end of file ({fileLength}). Image has probably been truncated.");
        }
        else if (offset + length > fileLength)
        {
            finding($"VHDX BAT entry {IndexOf(block)} end offset {offset + length - 1} points after end of file ({fileLength}). Image has probably been truncated.");
        }

        if (offset < MiB)
        {
            finding($"VHDX BAT entry {IndexOf(block)} points into the header");
        }
        else if (_regions.Conflict(offset, BlockSize) is { } conflict)
        {
            finding(conflict);
        }
    }

    private bool Overlaps(SparseBits used, long offset)
    {
        bool overlaps = false;
        for (long at = 0; at < BlockSize; at += MiB)
        {
            overlaps |= !used.Add((offset + at) / MiB);
        }

        return overlaps;
    }

    private bool HasPlace(VhdxBlockState state) =>
        state == VhdxBlockState.FullyPresent || (state == VhdxBlockState.PartiallyPresent && _metadata.Parent is not null);

    private string BadState(long block, VhdxBlockState state) => $"VHDX BAT entry {IndexOf(block)} has state {(int)state}, which this image cannot have";

    private long IndexOf(long block) => block + block / ChunkRatio;

    private ulong EntryOf(long block) => _cache.Read(_table, IndexOf(block));

    private long HostOf(ulong entry, long block)
    {
        ulong offset = entry & OffsetMask;
        return offset is >= MiB and <= long.MaxValue - VhdxMetadata.MaxBlockSize
            ? (long)offset
            : throw Corrupt($"VHDX BAT entry {IndexOf(block)} points to offset {offset}");
    }

    // A child of this image must see that the image is not the one it was made over.
    private void Begin()
    {
        if (!_begun)
        {
            Guid file = Guid.NewGuid();
            Guid data = Guid.NewGuid();
            _headers.Update(header => header with { FileWriteId = file, DataWriteId = data });
            _begun = true;
        }
    }

    private long Allocate(long block)
    {
        long offset = ((_file.CanResize ? Math.Max(_end, _file.Length) : _end) + MiB - 1) & -MiB;
        if (_file.CanResize)
        {
            _file.SetLength(offset + BlockSize);
        }
        else
        {
            _file.WriteZeroes(offset, BlockSize, ZeroMode.MayUnmap);
        }

        _end = offset + BlockSize;
        _cache.Write(_table, IndexOf(block), Entry(VhdxBlockState.FullyPresent, offset));
        return offset;
    }

    private ImageException Corrupt(string message) => new(ImageErrorKind.Corrupt, _name, message);
}

/// <summary>What the BAT says of a payload block.</summary>
internal enum VhdxBlockState : byte
{
    /// <summary>Ask the parent; zeros where there is none.</summary>
    NotPresent = 0,
    Undefined = 1,
    Zero = 2,
    Unmapped = 3,

    /// <summary>Unmapped as version 0.95 had it.</summary>
    UnmappedOld = 5,
    FullyPresent = 6,

    /// <summary>Some sectors are here, the others in the parent.</summary>
    PartiallyPresent = 7,
}
