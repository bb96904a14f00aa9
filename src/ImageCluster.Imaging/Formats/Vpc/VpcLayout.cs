namespace ImageCluster.Imaging.Formats.Vpc;

/// <summary>
/// Where a new image has what, by its create options. Dynamic: footer, dynamic header, block table, blocks, footer. Fixed: the disk, footer.
/// </summary>
internal sealed class VpcLayout
{
    private const int SectorSize = 512;
    private const int TableOffset = VpcFooter.Length + VpcDynamicHeader.Length;

    public VpcLayout(CreateRequest request)
    {
        OptionReader options = new(request.Options, request.FileName);
        _ = options.FilePreallocation();
        IsFixed = options.Choice("subformat", "dynamic", "dynamic", "fixed") == "fixed";
        ForceSize = options.Flag("force_size", false);
        long sectors = request.VirtualSize / SectorSize + (request.VirtualSize % SectorSize > 0 ? 1 : 0);
        Geometry = ForceSize ? VpcGeometry.Max : VpcGeometry.ToHold(sectors);
        if (Geometry != VpcGeometry.Max)
        {
            sectors = Geometry.Sectors;
        }
        else if (sectors > VpcFooter.MaxSectors)
        {
            throw new ImageException(ImageErrorKind.Limit, request.FileName, "The image size is too large for file format 'vpc'");
        }

        DiskSize = sectors * SectorSize;
    }

    public bool IsFixed { get; }

    public bool ForceSize { get; }

    public VpcGeometry Geometry { get; }

    /// <summary>Bytes: what was asked for, rounded up to what the geometry can say.</summary>
    public long DiskSize { get; }

    public long Blocks => (DiskSize + VpcDynamicHeader.DefaultBlockSize - 1) / VpcDynamicHeader.DefaultBlockSize;

    /// <summary>Host offset of the first block, or of the disk.</summary>
    public long FirstBlock => IsFixed ? 0 : TableOffset + ((Blocks * sizeof(uint) + SectorSize - 1) & -SectorSize);

    /// <summary>Host offset of a block's entry.</summary>
    public static long EntryOffset(long block) => TableOffset + block * sizeof(uint);

    public VpcFooter NewFooter(DateTimeOffset now) =>
        VpcFooter.New(IsFixed ? VpcFooter.TypeFixed : VpcFooter.TypeDynamic, DiskSize, Geometry, ForceSize, now);

    public VpcDynamicHeader Header => new() { TableOffset = TableOffset, MaxTableEntries = Blocks };
}
