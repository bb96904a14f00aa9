using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>The header of a vmfsSparse extent (magic <c>COWD</c>), which ESX writes for snapshots on VMFS. Offsets and sizes in sectors.</summary>
/// <param name="Capacity">Guest sectors.</param>
/// <param name="GrainSize">Sectors of a grain, usually 1.</param>
/// <param name="DirectoryOffset">Where the grain directory starts.</param>
/// <param name="TableCount">Its entries.</param>
internal sealed record CowdHeader(uint Capacity, uint GrainSize, uint DirectoryOffset, uint TableCount)
{
    /// <summary>"COWD" as it stands in the file, read as big-endian.</summary>
    public const uint Magic = 0x434F5744;

    /// <summary>Entries of a grain table, always.</summary>
    public const int EntriesPerTable = 4096;

    private const int Size = 28;

    /// <summary>Reads the header and checks it against QEMU's limits.</summary>
    public static CowdHeader Read(IBlockFile file)
    {
        Span<byte> bytes = stackalloc byte[Size];
        file.ReadPadded(0, bytes);
        CowdHeader header = new(
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]));
        if (header.GrainSize is 0 or > (uint)VmdkLimits.MaxGrainSectors)
        {
            throw new ImageException(ImageErrorKind.Corrupt, file.Name, "Invalid granularity, image may be corrupt");
        }

        return header.TableCount <= VmdkLimits.MaxGrainTables
            ? header
            : throw new ImageException(ImageErrorKind.Limit, file.Name, "L1 size too big");
    }

    /// <summary>Makes the extent.</summary>
    /// <param name="file">Becomes the extent's.</param>
    /// <param name="start">Guest offset, bytes.</param>
    /// <param name="lineType">The type that the descriptor's line states.</param>
    public SparseExtent ToExtent(IBlockFile file, long start, string lineType)
    {
        SparseDirectory directory = new(file, DirectoryOffset * (long)VmdkLimits.SectorSize, TableCount, EntriesPerTable, zeroedGrains: false);
        return new SparseExtent(start, Capacity * (long)VmdkLimits.SectorSize, directory, GrainSize * (long)VmdkLimits.SectorSize, null, lineType)
        {
            KindName = "vmfsSparse",
        };
    }
}
