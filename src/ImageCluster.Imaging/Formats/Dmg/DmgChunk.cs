namespace ImageCluster.Imaging.Formats.Dmg;

/// <summary>A run of the guest's sectors and where its bytes are.</summary>
/// <param name="Type">How they are stored.</param>
/// <param name="Sector">The first, counted from the disk's start.</param>
/// <param name="Sectors">How many.</param>
/// <param name="Offset">Where in the file, bytes.</param>
/// <param name="Length">Bytes in the file.</param>
internal readonly record struct DmgChunk(DmgChunkType Type, long Sector, long Sectors, long Offset, long Length)
{
    public long EndSector => Sector + Sectors;
}

internal enum DmgChunkType : uint
{
    Zero = 0,
    Raw = 1,

    /// <summary>Not in use by the file system: reads as zeros.</summary>
    Ignore = 2,
    Adc = 0x80000004,
    Zlib = 0x80000005,
    Bzip2 = 0x80000006,
    Lzfse = 0x80000007,
    Lzma = 0x80000008,
}
