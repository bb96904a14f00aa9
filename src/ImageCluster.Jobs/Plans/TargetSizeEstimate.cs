namespace ImageCluster.Jobs.Plans;

/// <summary>A rule of thumb for the size of a target that the engine did not measure: never less than what is needed without compression.</summary>
public static class TargetSizeEstimate
{
    private const long FixedBytes = 1 << 20;

    /// <summary>Why a target of a format cannot have so many bytes, or null: a vmdk of none has no extents, and neither QEMU nor this engine opens that.</summary>
    public static string? Problem(string format, long virtualSize) =>
        virtualSize == 0 && format == "vmdk" ? "The source has no bytes, and a vmdk image of none cannot be opened by anyone" : null;

    /// <param name="format">The target's format.</param>
    /// <param name="virtualSize">Bytes.</param>
    /// <param name="allocatedBytes">Guest bytes that are data.</param>
    public static long AtMost(string format, long virtualSize, long allocatedBytes)
    {
        long data = Math.Min(allocatedBytes, virtualSize);
        if (format == "raw")
        {
            return data;
        }

        // Tables cost at most 8 bytes and a refcount for each cluster of data and 4 bytes (VDI's and VHD's maps) for each block of the disk;
        // 1/64 of the data stands for what is lost to rounding up to clusters.
        Int128 bytes = (Int128)data + data / 64 + virtualSize / 16384 + FixedBytes;
        return (long)Int128.Min(bytes, long.MaxValue);
    }
}
