using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>What the shards of a new image need to know of it.</summary>
internal sealed class FillShape(Header header, IRoom ownRoom)
{
    /// <summary>Shards are not smaller than this, unless the disk is: several L2 tables make one where a table maps less.</summary>
    private const long MinShardLength = 64L << 20;

    /// <summary>With fewer bits a refcount might not be able to count all compressed clusters that fit into a host cluster.</summary>
    private const int MinPackingRefcountOrder = 4;

    public Layout Layout { get; } = new(header);

    public long VirtualSize => header.VirtualSize;

    /// <summary>Bytes; a multiple of what one L2 table maps.</summary>
    public long ShardLength { get; } = ShardLengthOf(new Layout(header));

    public static long ShardLengthOf(Layout layout) => Math.Max(MinShardLength, layout.L2TableSpan);

    public bool HasDataFile => header.HasDataFile;

    /// <summary>Clusters can say that they read as zeros without having room.</summary>
    public bool HasZeroFlag => header.Version >= 3;

    /// <summary>True where compressed clusters may share a host cluster: the own room counts them, other room does not.</summary>
    public bool Packs(IRoom room) => ReferenceEquals(room, ownRoom) || header.RefcountOrder >= MinPackingRefcountOrder;
}
