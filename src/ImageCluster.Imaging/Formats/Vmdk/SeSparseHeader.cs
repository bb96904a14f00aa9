using System.Buffers.Binary;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// The constant header of a seSparse ("space efficient") extent, which ESXi writes for snapshots on VMFS 6 and of disks above 2 TiB.
/// The format is not published; facts and checks are QEMU's (block/vmdk.c). Offsets and sizes in sectors.
/// </summary>
internal sealed record SeSparseHeader
{
    /// <summary>Entries of a grain table (64 sectors of 64-bit entries).</summary>
    public const int EntriesPerTable = TableSectors * VmdkLimits.SectorSize / sizeof(ulong);

    public const int GrainSectors = 8;
    public const int TableSectors = 64;

    private const ulong ConstantMagic = 0xCAFEBABE;
    private const ulong VolatileMagic = 0xCAFECAFE;
    private const ulong KnownVersion = 0x0000000200000001;
    private const int ConstantFields = 26 * sizeof(ulong);
    private const int VolatileFields = 4 * sizeof(ulong);

    public required ulong Capacity { get; init; }

    public required ulong DirectoryOffset { get; init; }

    public required ulong DirectorySize { get; init; }

    public required ulong TablesOffset { get; init; }

    public required ulong GrainsOffset { get; init; }

    /// <summary>Entries of the grain directory. At most <see cref="VmdkLimits.MaxGrainTables"/> after <see cref="Read"/>.</summary>
    public long TableCount => (long)DirectorySize * VmdkLimits.SectorSize / sizeof(ulong);

    /// <summary>Reads both headers and checks them as strictly as QEMU does.</summary>
    public static SeSparseHeader Read(IBlockFile file)
    {
        Span<byte> sector = stackalloc byte[VmdkLimits.SectorSize];
        file.ReadPadded(0, sector);
        CheckConstant(sector, file.Name);
        ulong volatileOffset = Field(sector, 10);
        SeSparseHeader header = new()
        {
            Capacity = Field(sector, 2),
            DirectoryOffset = Field(sector, 16),
            DirectorySize = Field(sector, 17),
            TablesOffset = Field(sector, 18),
            GrainsOffset = Field(sector, 24),
        };
        long fileSectors = VmdkLimits.DivideUp(file.Length, VmdkLimits.SectorSize);
        if (volatileOffset >= (ulong)fileSectors)
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name, $"Could not read volatile header from file '{file.Name}'");
        }

        file.ReadPadded((long)volatileOffset * VmdkLimits.SectorSize, sector);
        CheckVolatile(sector, file.Name);
        if (header.DirectorySize > (ulong)(VmdkLimits.MaxGrainTables * sizeof(ulong) / VmdkLimits.SectorSize))
        {
            throw new ImageException(ImageErrorKind.Limit, file.Name, "L1 size too big");
        }

        if (header.Capacity > (ulong)VmdkLimits.MaxSectors)
        {
            throw VmdkLimits.DiskTooLarge(file.Name);
        }

        if (header.DirectoryOffset > (ulong)fileSectors || header.TablesOffset > (ulong)fileSectors || header.GrainsOffset > (ulong)fileSectors)
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name, $"Could not read l1 table from extent '{file.Name}'");
        }

        return header;
    }

    /// <summary>Makes the extent.</summary>
    /// <param name="file">Becomes the extent's.</param>
    /// <param name="start">Guest offset, bytes.</param>
    /// <param name="lineType">The type that the descriptor's line states.</param>
    public SparseExtent ToExtent(IBlockFile file, long start, string lineType) =>
        new(start, (long)Capacity * VmdkLimits.SectorSize, new SeSparseDirectory(file, this), GrainSectors * VmdkLimits.SectorSize, null, lineType)
        {
            KindName = "seSparse",
        };

    private static void CheckConstant(ReadOnlySpan<byte> sector, string file)
    {
        if (Field(sector, 0) != ConstantMagic)
        {
            throw new ImageException(ImageErrorKind.NotThisFormat, file, $"Bad const header magic: 0x{Field(sector, 0):x16}");
        }

        if (Field(sector, 1) != KnownVersion)
        {
            throw Unsupported($"Unsupported version: 0x{Field(sector, 1):x16}");
        }

        if (Field(sector, 3) != GrainSectors)
        {
            throw Unsupported($"Unsupported grain size: {Field(sector, 3)}");
        }

        if (Field(sector, 4) != TableSectors)
        {
            throw Unsupported($"Unsupported grain table size: {Field(sector, 4)}");
        }

        if (Field(sector, 5) != 0)
        {
            throw Unsupported($"Unsupported flags: 0x{Field(sector, 5):x16}");
        }

        if (!ZeroScan.IsZero(sector.Slice(6 * sizeof(ulong), 4 * sizeof(ulong))))
        {
            throw Unsupported($"Unsupported reserved bits: 0x{Field(sector, 6):x16} 0x{Field(sector, 7):x16} 0x{Field(sector, 8):x16} 0x{Field(sector, 9):x16}");
        }

        if (!ZeroScan.IsZero(sector[ConstantFields..]))
        {
            throw Unsupported("Unsupported non-zero const header padding");
        }

        ImageException Unsupported(string message) => new(ImageErrorKind.Unsupported, file, message);
    }

    private static void CheckVolatile(ReadOnlySpan<byte> sector, string file)
    {
        if (Field(sector, 0) != VolatileMagic)
        {
            throw new ImageException(ImageErrorKind.Corrupt, file, $"Bad volatile header magic: 0x{Field(sector, 0):x16}");
        }

        if (Field(sector, 3) != 0)
        {
            throw new ImageException(ImageErrorKind.Unsupported, file, "Image is dirty, Replaying journal not supported")
            {
                Hint = "Open and close the disk on its ESXi host, or consolidate the snapshot there.",
            };
        }

        if (!ZeroScan.IsZero(sector[VolatileFields..]))
        {
            throw new ImageException(ImageErrorKind.Unsupported, file, "Unsupported non-zero volatile header padding");
        }
    }

    private static ulong Field(ReadOnlySpan<byte> sector, int number) => BinaryPrimitives.ReadUInt64LittleEndian(sector[(number * sizeof(ulong))..]);
}
