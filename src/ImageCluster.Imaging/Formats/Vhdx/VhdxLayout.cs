using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.BlockTables;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>Where a new image has what, by its create options: header section, log, block table, metadata, room, blocks.</summary>
internal sealed class VhdxLayout
{
    public const int MiB = 1 << 20;

    private const long GiB = 1 << 30;
    private const long TiB = GiB << 10;
    private const int SectorSize = 512;

    public VhdxLayout(CreateRequest request)
    {
        OptionReader options = new(request.Options, request.FileName);
        _ = options.FilePreallocation();
        if (request.VirtualSize > VhdxMetadata.MaxDiskSize)
        {
            throw Invalid(request, "Image size too large; max of 64TB");
        }

        DiskSize = (request.VirtualSize + SectorSize - 1) & -SectorSize;
        LogLength = RoundUp(options.Size("log_size", MiB));
        if (LogLength > uint.MaxValue)
        {
            throw Invalid(request, "Log size must be smaller than 4 GB");
        }

        if (LogLength == 0)
        {
            throw Invalid(request, "Log size must be a multiple of 1 MB");
        }

        BlockSize = BlockSizeOf(options.Size("block_size", 0), request);
        IsFixed = options.Choice("subformat", "dynamic", "dynamic", "fixed") == "fixed";
        StateZero = options.Flag("block_state_zero", true);
    }

    public bool IsFixed { get; }

    /// <summary>Blocks that were never written say that they are zeros, rather than that they are not present.</summary>
    public bool StateZero { get; }

    public long DiskSize { get; }

    public int BlockSize { get; }

    public long LogLength { get; }

    public long Blocks => (DiskSize + BlockSize - 1) / BlockSize;

    public VhdxRegion Bat => new(MiB + LogLength, RoundUp(EntryCount * sizeof(ulong)));

    public VhdxRegion Metadata => new(Bat.End, VhdxMetadata.RegionLength);

    /// <summary>Behind the metadata QEMU leaves room for more of it.</summary>
    public long FirstBlock => Bat.End + 5 * MiB;

    private long ChunkRatio => VhdxBlockMap.ChunkRatioOf(SectorSize, BlockSize);

    // As QEMU counts, with 32 bits: for a disk of no blocks that is a large table, and QEMU does not open one with less.
    private long EntryCount => (uint)Blocks + ((uint)(Blocks - 1) / ChunkRatio);

    /// <summary>Bytes of the table for so many blocks from one on, and where in the file they go.</summary>
    /// <param name="firstBlock">Number of the first block.</param>
    /// <param name="hosts">Where each block is; 0 where it has no place.</param>
    public (long Offset, byte[] Entries) EncodeEntries(long firstBlock, ReadOnlySpan<long> hosts)
    {
        long first = firstBlock + firstBlock / ChunkRatio;
        long lastBlock = firstBlock + hosts.Length - 1;
        byte[] entries = new byte[(lastBlock + lastBlock / ChunkRatio - first + 1) * sizeof(ulong)];
        for (int i = 0; i < hosts.Length; i++)
        {
            long block = firstBlock + i;
            VhdxBlockState state = hosts[i] != 0 ? VhdxBlockState.FullyPresent : StateZero ? VhdxBlockState.Zero : VhdxBlockState.NotPresent;
            Span<byte> entry = entries.AsSpan((int)(block + block / ChunkRatio - first) * sizeof(ulong));
            BinaryPrimitives.WriteUInt64LittleEndian(entry, VhdxBlockMap.Entry(state, hosts[i]));
        }

        return (Bat.Start + first * sizeof(ulong), entries);
    }

    public BlockFillLayout FillLayout => new(DiskSize, BlockSize, FirstBlock) { Fixed = IsFixed, Alignment = MiB };

    private int BlockSizeOf(long asked, CreateRequest request)
    {
        long size = Math.Min(RoundUp(asked), VhdxMetadata.MaxBlockSize);
        if (size == 0)
        {
            size = DiskSize > 32 * TiB ? 64 * MiB : DiskSize > 100 * GiB ? 32 * MiB : DiskSize > GiB ? 16 * MiB : 8 * MiB;
        }

        return long.IsPow2(size) ? (int)size : throw Invalid(request, "Block size must be a power of two");
    }

    private static long RoundUp(long size) => (Math.Min(size, long.MaxValue - MiB) + MiB - 1) & -MiB;

    private static ImageException Invalid(CreateRequest request, string message) => new(ImageErrorKind.InvalidArgument, request.FileName, message);
}
