using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qed;

/// <summary>A QED image open for reading.</summary>
internal class QedReader : BlockReader, ICheckable, IImageStatus
{
    private const ulong Unallocated = 0;

    /// <summary>An entry for a cluster that reads as zeros, whatever the backing file holds.</summary>
    protected const ulong ZeroCluster = 1;

    private readonly long _fileLength;

    protected QedReader(OpenContext context, QedHeader header)
        : base(context)
    {
        _fileLength = File.Length;
        Header = header;
        VirtualSize = header.ImageSize;
        Tables = new ClusterTables(
            File,
            new ClusterTableShape((long)header.L1TableOffset, header.TableEntries, header.TableEntries, header.ClusterSize, BigEndian: false),
            TableOffset);
    }

    public override string FormatName => "qed";

    public override long Granularity => Header.ClusterSize;

    public override BackingReference? Backing => Header.Backing;

    public bool IsDirty => Header.NeedsCheck;

    protected QedHeader Header { get; set; }

    protected ClusterTables Tables { get; }

    /// <summary>Bytes; what lies behind it is no cluster.</summary>
    protected virtual long FileLength => _fileLength;

    public static QedReader Open(OpenContext context)
    {
        try
        {
            QedHeader header = QedHeader.Read(context.File, context.FileName);
            return context.Write ? QedWriter.Open(context, header) : new QedReader(context, header);
        }
        catch
        {
            context.File.Dispose();
            throw;
        }
    }

    public virtual CheckReport Check(CheckRepair repair) => new QedChecker(File, Header, Tables).Check(repair: false);

    protected override Extent Look(long offset, long length)
    {
        long cluster = offset / Header.ClusterSize;
        long within = offset - cluster * Header.ClusterSize;
        ulong entry = Tables.Find(cluster, out long clusters);
        length = Math.Min(length, clusters * Header.ClusterSize - within);
        switch (entry)
        {
            case Unallocated:
                return new Extent(offset, length, ExtentKind.Absent);
            case ZeroCluster:
                return new Extent(offset, length, ExtentKind.Zero);
            default:
                if (!Header.IsClusterOffset(entry, FileLength))
                {
                    throw Corrupt($"Data cluster offset 0x{entry:x} of guest offset 0x{offset:x} is invalid");
                }

                return new Extent(offset, length, ExtentKind.Data, File, (long)entry + within);
        }
    }

    private long TableOffset(ulong entry) =>
        Header.IsTableOffset(entry, FileLength) ? (long)entry : throw Corrupt($"L2 table offset 0x{entry:x} is invalid");
}
