using ImageCluster.Imaging.Formats.BlockTables;

namespace ImageCluster.Imaging.Formats.Parallels;

/// <summary>Where a new image has what, by its create options: header and table in whole clusters, then clusters as they come.</summary>
internal sealed class ParallelsLayout
{
    private const int SectorSize = ParallelsHeader.SectorSize;
    private const long MaxClusters = 1L << 32;
    private const long DefaultClusterSize = 1 << 20;

    public ParallelsLayout(CreateRequest request)
    {
        OptionReader options = new(request.Options, request.FileName);
        _ = options.FilePreallocation();
        long clusterSize = options.Size("cluster_size", DefaultClusterSize);
        if (clusterSize > (long.MaxValue / MaxClusters) - SectorSize)
        {
            throw Invalid(request, "Cluster size is too large");
        }

        clusterSize = RoundUp(clusterSize);
        if (request.VirtualSize >= (Int128)MaxClusters * clusterSize)
        {
            throw Invalid(request, "Image size is too large for this cluster size");
        }

        long size = RoundUp(request.VirtualSize);
        long entries = (size + clusterSize - 1) / clusterSize;
        if (entries > ParallelsHeader.MaxEntries)
        {
            throw Invalid(request, "Image size is too large for this cluster size");
        }

        long tableClusters = (ParallelsHeader.Length + entries * sizeof(uint) + clusterSize - 1) / clusterSize;
        Header = new ParallelsHeader
        {
            Tracks = (uint)(clusterSize / SectorSize),
            Entries = (uint)entries,
            Sectors = size / SectorSize,
            DataOffset = (uint)(tableClusters * (clusterSize / SectorSize)),
        };
    }

    public ParallelsHeader Header { get; }

    /// <summary>Host offset of the first cluster, bytes.</summary>
    public long FirstCluster => (long)Header.DataOffset * SectorSize;

    public BlockFillLayout FillLayout =>
        new(Header.Sectors * SectorSize, Header.ClusterSize, FirstCluster) { Alignment = Header.ClusterSize };

    private static long RoundUp(long size) => (size + SectorSize - 1) & -SectorSize;

    private static ImageException Invalid(CreateRequest request, string message) => new(ImageErrorKind.InvalidArgument, request.FileName, message);
}
