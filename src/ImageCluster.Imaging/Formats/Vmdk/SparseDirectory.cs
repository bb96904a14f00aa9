using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Directory and tables of 32-bit sector numbers: hosted sparse extents and vmfsSparse (COWD).</summary>
/// <param name="file">The extent's file.</param>
/// <param name="offset">Where the directory starts, bytes.</param>
/// <param name="tableCount">Its entries.</param>
/// <param name="entriesPerTable">Grains that a table maps.</param>
/// <param name="zeroedGrains">An entry of 1 says that the grain reads as zeros.</param>
internal sealed class SparseDirectory(IBlockFile file, long offset, long tableCount, int entriesPerTable, bool zeroedGrains)
    : GrainDirectory(file, offset, tableCount, sizeof(uint), entriesPerTable)
{
    protected override long DecodeDirectoryEntry(ReadOnlySpan<byte> entry) => BinaryPrimitives.ReadUInt32LittleEndian(entry) * (long)VmdkLimits.SectorSize;

    protected override long DecodeTableEntry(ReadOnlySpan<byte> entry)
    {
        uint sector = BinaryPrimitives.ReadUInt32LittleEndian(entry);
        return sector == 1 && zeroedGrains ? GrainTable.Zero : sector * (long)VmdkLimits.SectorSize;
    }
}
