using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// Directory and tables of a seSparse extent: 64-bit entries whose topmost four bits say what they are. A directory entry holds the
/// number of its table, a table entry the number of its grain with the lowest 12 bits moved above the others.
/// </summary>
internal sealed class SeSparseDirectory(IBlockFile file, SeSparseHeader header)
    : GrainDirectory(file, (long)header.DirectoryOffset * VmdkLimits.SectorSize, header.TableCount, sizeof(ulong), SeSparseHeader.EntriesPerTable)
{
    // Sector numbers beyond this would not fit a file's length.
    private const ulong MaxGrain = (ulong)VmdkLimits.MaxSectors / SeSparseHeader.GrainSectors / 2;

    protected override long DecodeDirectoryEntry(ReadOnlySpan<byte> entry)
    {
        ulong value = BinaryPrimitives.ReadUInt64LittleEndian(entry);
        if (value == 0)
        {
            return 0;
        }

        // Tables are counted with 32 bits, and QEMU has no place for their sectors beyond 32 bits either.
        ulong sector = header.TablesOffset + ((value & 0xFFFFFFFF) * SeSparseHeader.TableSectors);
        return value >> 32 == 0x10000000 && sector <= uint.MaxValue ? (long)sector * VmdkLimits.SectorSize : GrainTable.Invalid;
    }

    protected override long DecodeTableEntry(ReadOnlySpan<byte> entry)
    {
        ulong value = BinaryPrimitives.ReadUInt64LittleEndian(entry);
        switch (value >> 60)
        {
            case 0:
                return value == 0 ? GrainTable.Absent : GrainTable.Invalid;
            case 1:
            // Unmapped by the guest: as good as zero.
            case 2:
                return GrainTable.Zero;
            case 3:
                ulong grain = ((value >> 48) & 0xFFF) | ((value & 0xFFFFFFFFFFFF) << 12);
                return grain <= MaxGrain ? (long)(header.GrainsOffset + (grain * SeSparseHeader.GrainSectors)) * VmdkLimits.SectorSize : GrainTable.Invalid;
            default:
                return GrainTable.Invalid;
        }
    }
}
