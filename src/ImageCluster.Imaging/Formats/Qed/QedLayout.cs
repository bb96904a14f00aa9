using ImageCluster.Imaging.Formats.BlockTables;

namespace ImageCluster.Imaging.Formats.Qed;

/// <summary>Where a new image has what, by its create options: a header of one cluster, the L1 table, then clusters as they come.</summary>
internal sealed class QedLayout
{
    public QedLayout(CreateRequest request)
    {
        OptionReader options = new(request.Options, request.FileName);
        _ = options.FilePreallocation();
        long clusterSize = options.Size("cluster_size", QedHeader.DefaultClusterSize);
        long tableSize = options.Size("table_size", QedHeader.DefaultTableSize);
        if (!QedHeader.IsClusterSizeValid(clusterSize))
        {
            throw Invalid(request, $"QED cluster size must be within range [{QedHeader.MinClusterSize}, {QedHeader.MaxClusterSize}] and power of 2");
        }

        if (!QedHeader.IsTableSizeValid(tableSize))
        {
            throw Invalid(request, $"QED table size must be within range [{QedHeader.MinTableSize}, {QedHeader.MaxTableSize}] and power of 2");
        }

        ulong size = ((ulong)request.VirtualSize + 511) & ~511UL;
        if (!QedHeader.IsImageSizeValid(size, (uint)clusterSize, (uint)tableSize))
        {
            throw Invalid(request,
                $"QED image size must be a non-zero multiple of cluster size and less than {QedHeader.MaxImageSize((uint)clusterSize, (uint)tableSize)} bytes");
        }

        string? backing = options.Text("backing_file");
        Header = new QedHeader
        {
            ClusterSize = (uint)clusterSize,
            TableSize = (uint)tableSize,
            L1TableOffset = (ulong)clusterSize,
            ImageSize = (long)size,
            Backing = string.IsNullOrEmpty(backing) ? null : new BackingReference(backing, options.Text("backing_fmt")),
        };
        if (Header.Encode().Length > clusterSize)
        {
            throw Invalid(request, "Backing file name is too long for the QED header");
        }
    }

    public QedHeader Header { get; }

    /// <summary>Host offset of the first cluster behind the L1 table.</summary>
    public long FirstCluster => Header.ClusterSize + Header.TableLength;

    public BlockFillLayout FillLayout => new(Header.ImageSize, Header.ClusterSize, FirstCluster) { Alignment = Header.ClusterSize };

    public ClusterTableShape Shape =>
        new((long)Header.L1TableOffset, Header.TableEntries, Header.TableEntries, Header.ClusterSize, BigEndian: false);

    private static ImageException Invalid(CreateRequest request, string message) => new(ImageErrorKind.InvalidArgument, request.FileName, message);
}
