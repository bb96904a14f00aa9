using ImageCluster.Imaging.Extents;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>Where a block of the guest stands.</summary>
/// <param name="Kind">What is there.</param>
/// <param name="HostOffset">Where its data starts in the file, bytes; -1 where it has none.</param>
internal readonly record struct BlockPlace(ExtentKind Kind, long HostOffset)
{
    public static readonly BlockPlace Absent = new(ExtentKind.Absent, -1);

    public static readonly BlockPlace Zero = new(ExtentKind.Zero, -1);

    public static BlockPlace Data(long hostOffset) => new(ExtentKind.Data, hostOffset);
}
