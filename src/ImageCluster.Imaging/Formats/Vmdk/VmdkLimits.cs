namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Units and limits of the format; where QEMU has a limit it is QEMU's (block/vmdk.c).</summary>
internal static class VmdkLimits
{
    public const int SectorSize = 512;

    /// <summary>A grain has at most 1 GiB.</summary>
    public const long MaxGrainSectors = 0x200000;

    /// <summary>Entries of a grain table of a hosted sparse extent, at most and as everybody writes them.</summary>
    public const int GrainTableEntries = 512;

    /// <summary>Grain tables of an extent (QEMU's limit of an L1 table).</summary>
    public const long MaxGrainTables = 32 << 20;

    /// <summary>Bytes that are read of a descriptor; what lies behind is not looked at.</summary>
    public const int MaxDescriptorBytes = (1 << 20) - 1;

    /// <summary>Extents of a descriptor: enough for 64 TiB in files of 2 GiB, and few enough to be opened all.</summary>
    public const int MaxExtents = 32768;

    /// <summary>Characters of an extent's file name.</summary>
    public const int MaxExtentName = 511;

    /// <summary>Characters of a parent's name (PATH_MAX less its terminator).</summary>
    public const int MaxParentName = 4095;

    /// <summary>Grain table entries count sectors with 32 bits: a sparse extent's file ends before 2 TiB.</summary>
    public const long MaxFileBytes = (1L << 32) * SectorSize;

    /// <summary>Bytes that the guest's disk may have: what 63 bits count, in whole sectors.</summary>
    public const long MaxSectors = long.MaxValue / SectorSize;

    public static long RoundUp(long value, long unit) => (value + unit - 1) / unit * unit;

    public static long DivideUp(long value, long unit) => (value + unit - 1) / unit;

    public static ImageException DiskTooLarge(string file) =>
        new(ImageErrorKind.Limit, file, "Could not refresh total sector count: File too large");
}
