using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filters;
using ImageCluster.Imaging.Formats.Filters.Debugging;

namespace ImageCluster.Imaging.Operations;

/// <summary>What QEMU's block layer says of a range of the guest's disk (bdrv_block_status): an entry of <c>map</c>. Units: bytes.</summary>
/// <param name="Start">Guest offset.</param>
/// <param name="Length">Bytes, 1 or more.</param>
/// <param name="Depth">The layer that the answer comes from, 0 for the top.</param>
/// <param name="Present">Some layer holds it: putting other backing files below would not change what is read.</param>
/// <param name="Zero">Reads as zeros.</param>
/// <param name="Data">Stands in a file as bytes (plain, encrypted or compressed).</param>
/// <param name="HostOffset">Where in <paramref name="HostFile"/> it stands, or -1 where it stands nowhere as it is.</param>
/// <param name="HostFile">The file's name, or null.</param>
public readonly record struct BlockStatus(
    long Start, long Length, int Depth, bool Present, bool Zero, bool Data, long HostOffset, string? HostFile)
{
    public long End => Start + Length;

    /// <summary>Says what stands at <paramref name="offset"/>, and for how many bytes (1 to <paramref name="length"/>) the answer holds.</summary>
    public static BlockStatus At(LayeredDisk disk, long offset, long length)
    {
        for (int depth = 0; ; depth++)
        {
            IImageLayer layer = disk.Layers[depth];
            if (layer is IImageStatus { TellsPlaces: false })
            {
                return new BlockStatus(offset, length, depth, Present: true, Zero: false, Data: true, -1, null);
            }

            Extent extent = layer.Map(offset, length);
            length = extent.Length;
            if (Inner(extent, layer) is { } inner)
            {
                return inner with { Start = offset, Depth = depth };
            }

            if (extent.Kind != ExtentKind.Absent)
            {
                return Of(layer, extent, depth);
            }

            if (depth + 1 == disk.Layers.Count)
            {
                // A format that knows no backing files answers for all of its disk.
                bool present = !KnowsBacking(layer.FormatName);
                return new BlockStatus(offset, length, depth, present, Zero: true, Data: false, RoomOf(layer, extent), PlaceOf(layer, extent));
            }

            long below = disk.Layers[depth + 1].VirtualSize - offset;
            if (below <= 0)
            {
                // Room that a part of a cluster has, and does not use, is named all the same.
                return new BlockStatus(offset, length, depth, Present: false, Zero: true, Data: false, RoomOf(layer, extent), PlaceOf(layer, extent));
            }

            length = Math.Min(length, below);
        }
    }

    /// <summary>True where <paramref name="next"/> continues this entry in the guest and in its file and is otherwise the same.</summary>
    public bool Joins(in BlockStatus next) =>
        Depth == next.Depth && Present == next.Present && Zero == next.Zero && Data == next.Data && HostFile == next.HostFile
        && (HostOffset < 0 ? next.HostOffset < 0 : next.HostOffset == HostOffset + Length);

    // A raw image, or a filter, in another image: QEMU asks that one where things are, and of its chain the top only.
    private static BlockStatus? Inner(in Extent extent, IImageLayer layer)
    {
        bool passes = layer.FormatName == "raw" || FormatRegistry.All.All(format => format.Name != layer.FormatName);
        if (!passes || extent.File is not LayeredFile { Disk: var disk } || extent.HostOffset < 0 || extent.HostOffset >= disk.VirtualSize)
        {
            return null;
        }

        BlockStatus status = At(disk, extent.HostOffset, extent.Length);
        return status.Depth == 0 ? status : status with { Depth = 0, Present = false, Zero = false, Data = false, HostOffset = -1, HostFile = null };
    }

    // parallels images name no backing file, but QEMU's driver counts itself among those that do.
    private static bool KnowsBacking(string format) => format == "parallels" || (FormatRegistry.Find(format)?.SupportsBacking ?? false);

    private static BlockStatus Of(IImageLayer layer, in Extent extent, int depth)
    {
        // Holes of a raw file are holes of the disk, and its zeros that are none are space that holds zeros; under another format holes are data
        // that reads as zeros.
        bool isRaw = layer.FormatName == "raw" || layer is FilterLayer;
        if (isRaw && extent is { Kind: ExtentKind.Data, IsHole: true })
        {
            return new BlockStatus(extent.Start, extent.Length, depth, Present: false, Zero: false, Data: false, -1, null);
        }

        bool isData = extent.Kind is ExtentKind.Data or ExtentKind.Compressed || (extent.Kind == ExtentKind.Zero && (isRaw ? !extent.IsHole : extent.IsHole));
        long place = RoomOf(layer, extent);
        return new BlockStatus(
            extent.Start,
            extent.Length,
            depth,
            Present: true,
            Zero: extent.Kind == ExtentKind.Zero,
            Data: isData,
            place,
            place >= 0 && isRaw && extent.File is BlkdebugFile node ? node.File.Name : PlaceOf(layer, extent));
    }

    // What is encrypted or compressed stands nowhere as it is.
    private static long RoomOf(IImageLayer layer, in Extent extent) =>
        extent.Kind != ExtentKind.Compressed && layer is not IImageStatus { IsEncrypted: true } ? extent.HostOffset : -1;

    private static string? PlaceOf(IImageLayer layer, in Extent extent) => RoomOf(layer, extent) >= 0 ? extent.File?.Name : null;
}
