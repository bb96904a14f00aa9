using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// Where everything stands in a new sparse extent, as qemu-img lays it out: header, descriptor, redundant directory and its tables,
/// directory and its tables, then grains of 64 KiB from a multiple of their size on. All tables exist from the start.
/// </summary>
internal sealed class SparseLayout
{
    public const int GrainSectors = 128;
    public const int GrainBytes = GrainSectors * VmdkLimits.SectorSize;
    public const int TableBytes = VmdkLimits.GrainTableEntries * sizeof(uint);

    /// <summary>Guest bytes that a grain table maps (32 MiB).</summary>
    public const long TableSpan = (long)VmdkLimits.GrainTableEntries * GrainBytes;

    public const int DescriptorSector = 1;
    public const int DescriptorSectors = 20;

    private const int TableSectors = TableBytes / VmdkLimits.SectorSize;
    private readonly long _directorySectors;

    /// <param name="length">Guest bytes of the extent, whole sectors.</param>
    public SparseLayout(long length)
    {
        Length = length;
        TableCount = TablesFor(length);
        _directorySectors = VmdkLimits.DivideUp(TableCount * sizeof(uint), VmdkLimits.SectorSize);
        long copy = _directorySectors + (TableSectors * TableCount);
        RedundantDirectorySector = DescriptorSector + DescriptorSectors;
        DirectorySector = RedundantDirectorySector + copy;
        GrainSector = VmdkLimits.RoundUp(DirectorySector + copy, GrainSectors);
    }

    public long Length { get; }

    public long TableCount { get; }

    public long RedundantDirectorySector { get; }

    public long DirectorySector { get; }

    /// <summary>Where the grains start.</summary>
    public long GrainSector { get; }

    public long GrainOffset => GrainSector * VmdkLimits.SectorSize;

    /// <summary>Bytes that the directory occupies, whole sectors.</summary>
    public long DirectoryBytes => _directorySectors * VmdkLimits.SectorSize;

    public static long TablesFor(long length) => (length / TableSpan) + (length % TableSpan > 0 ? 1 : 0);

    /// <summary>Byte offset of a grain table.</summary>
    public long TableOffset(long table) => (DirectorySector + _directorySectors + (table * TableSectors)) * VmdkLimits.SectorSize;

    /// <summary>Byte offset of a grain table's copy.</summary>
    public long RedundantTableOffset(long table) => (RedundantDirectorySector + _directorySectors + (table * TableSectors)) * VmdkLimits.SectorSize;

    /// <summary>The header that goes with this layout.</summary>
    public SparseHeader Header(CreateSettings settings) => new()
    {
        Version = settings.Stream ? 3u : settings.ZeroedGrains ? 2u : 1u,
        Flags = SparseFlags.NewlineTest | SparseFlags.RedundantDirectory | FlagsOf(settings),
        Capacity = (ulong)(Length / VmdkLimits.SectorSize),
        DescriptorOffset = DescriptorSector,
        DescriptorSize = DescriptorSectors,
        RedundantDirectoryOffset = (ulong)RedundantDirectorySector,
        DirectoryOffset = (ulong)DirectorySector,
        GrainOffset = (ulong)GrainSector,
        CompressAlgorithm = settings.Stream ? SparseHeader.Deflate : (ushort)0,
    };

    /// <summary>The flags that follow from what was asked for.</summary>
    public static SparseFlags FlagsOf(CreateSettings settings) =>
        (settings.Stream ? SparseFlags.Compressed | SparseFlags.Markers : SparseFlags.None) |
        (settings.ZeroedGrains ? SparseFlags.ZeroedGrains : SparseFlags.None);

    /// <summary>Writes both directories. The tables are holes: zeros, every grain absent.</summary>
    public void WriteDirectories(IBlockFile file)
    {
        WriteDirectory(file, RedundantDirectorySector, RedundantTableOffset(0));
        WriteDirectory(file, DirectorySector, TableOffset(0));
    }

    private void WriteDirectory(IBlockFile file, long sector, long firstTable)
    {
        byte[] chunk = new byte[Math.Min(DirectoryBytes, 1 << 16)];
        long offset = sector * VmdkLimits.SectorSize;
        for (long table = 0; table < TableCount;)
        {
            int count = (int)Math.Min(chunk.Length / sizeof(uint), TableCount - table);
            for (int i = 0; i < count; i++, table++)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(chunk.AsSpan(i * sizeof(uint)), (uint)((firstTable / VmdkLimits.SectorSize) + (table * TableSectors)));
            }

            file.Write(offset, chunk.AsSpan(0, count * sizeof(uint)));
            offset += chunk.Length;
        }
    }
}
