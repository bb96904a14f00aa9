namespace ImageCluster.Imaging.Formats.Vpc;

/// <summary>
/// Cylinders, heads and sectors per track, as the appendix of the VHD specification works them out; with up to 255 sectors per track
/// at 16 heads, as QEMU does, for disks beyond what ATA could address.
/// </summary>
internal readonly record struct VpcGeometry(ushort Cylinders, byte Heads, byte SectorsPerTrack)
{
    /// <summary>The largest: it says that the size field counts instead.</summary>
    public static readonly VpcGeometry Max = new(65535, 16, 255);

    public long Sectors => (long)Cylinders * Heads * SectorsPerTrack;

    /// <summary>The smallest geometry that holds so many sectors, or the largest there is.</summary>
    public static VpcGeometry ToHold(long sectors)
    {
        sectors = Math.Min(sectors, Max.Sectors);
        VpcGeometry geometry = default;
        for (long more = 0; geometry.Sectors < sectors; more++)
        {
            geometry = Of(sectors + more);
        }

        return geometry;
    }

    // The specification's algorithm: it rounds down.
    private static VpcGeometry Of(long sectors)
    {
        sectors = Math.Min(sectors, Max.Sectors);
        if (sectors >= 65535L * 16 * 63)
        {
            return new((ushort)(sectors / 255 / 16), 16, 255);
        }

        int perTrack = 17;
        long tracks = sectors / perTrack;
        long heads = Math.Max(4, (tracks + 1023) / 1024);
        if (tracks >= heads * 1024 || heads > 16)
        {
            (perTrack, heads) = (31, 16);
            tracks = sectors / perTrack;
        }

        if (tracks >= heads * 1024)
        {
            (perTrack, heads) = (63, 16);
            tracks = sectors / perTrack;
        }

        return new((ushort)(tracks / heads), (byte)heads, (byte)perTrack);
    }
}
