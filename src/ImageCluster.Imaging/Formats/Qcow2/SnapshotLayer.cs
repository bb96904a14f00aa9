using ImageCluster.Imaging.Extents;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>An image as one of its internal snapshots has it, for reading. Shares the image's files, which it does not own.</summary>
internal sealed class SnapshotLayer(Qcow2Image image, ulong[] l1) : IImageLayer
{
    public string FormatName => image.FormatName;

    public string FileName => image.FileName;

    /// <summary>The image's size now, as QEMU has it: what the snapshot's table does not reach is absent.</summary>
    public long VirtualSize => image.VirtualSize;

    public long Granularity => image.Granularity;

    public BackingReference? Backing => image.Backing;

    public Extent Map(long offset, long length) => new ClusterMap(image.Metadata, l1).Find(offset, length);

    public void Read(in Extent extent, Span<byte> buffer) => image.Read(extent, buffer, new ClusterMap(image.Metadata, l1));

    public FormatSpecificInfo? DescribeSpecific() => image.DescribeSpecific();

    public void Dispose()
    {
    }
}
