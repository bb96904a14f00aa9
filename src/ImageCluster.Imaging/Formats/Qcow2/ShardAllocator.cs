using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Takes clusters from room that was granted to a shard, instead of those that the image's refcounts call free: these do not change. What the image's own tables
/// refer to is not given back here: whoever takes the shard in finds it by comparing tables.
/// </summary>
internal sealed class ShardAllocator(Metadata metadata, Refcounts refcounts, IRoom room) : Allocator(metadata, refcounts)
{
    private readonly int _clusterBits = metadata.Layout.ClusterBits;
    private readonly ClusterRanges _taken = new();

    /// <summary>What was taken and is in use, in host order.</summary>
    public IReadOnlyList<RoomExtent> Taken =>
        [.. _taken.Ranges.Select(range => new RoomExtent(range.Start << _clusterBits, (range.End - range.Start) << _clusterBits))];

    public override long Allocate(long clusters)
    {
        long offset = room.Reserve(clusters << _clusterBits, 1L << _clusterBits);
        long first = offset >> _clusterBits;
        _taken.Add(first, first + clusters);
        return offset;
    }

    public override long AllocateCompressed(int length) => throw new NotSupportedException("Nothing is compressed where shards are merged.");

    public override void Release(long offset, long length) => Remove(offset, length);

    public override void FreeLater(long offset, long length, bool discard) => Remove(offset, length);

    // Clusters that are not the shard's are not in the set.
    private void Remove(long offset, long length) => _taken.Remove(offset >> _clusterBits, ((offset + length - 1) >> _clusterBits) + 1);
}
