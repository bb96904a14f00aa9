using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations.Converting;

namespace ImageCluster.Imaging.Operations.Committing;

/// <summary>
/// Writes what the images above a base of the chain hold into that base, so that the base alone shows what the top shows. The top is
/// emptied by a call of its own, after the base is durable: a crash in between loses nothing. Does not own the disk.
/// </summary>
/// <param name="disk">The chain; the base is open for writing (see <see cref="ChainOptions.WritableBase"/>).</param>
/// <param name="baseIndex">The base's place in the chain, 1 for the top's own backing file.</param>
/// <param name="options">Threads, progress, rate limit.</param>
/// <param name="shardLength">Bytes of the guest's disk that are a shard of <see cref="Run(long, long, CancellationToken)"/>; null for <see cref="ShardLength"/>.</param>
public sealed class Committer(LayeredDisk disk, int baseIndex, ConvertOptions options, long? shardLength = null)
{
    /// <summary>Bytes of the guest's disk that are a shard unless it was told otherwise.</summary>
    public static long ShardLength => InPlaceTarget.InPlaceShardLength;

    private long Shard => shardLength ?? ShardLength;

    /// <summary>Makes the base as large as the top where it is smaller, and brings over what differs. Durable on return.</summary>
    public void Run(CancellationToken cancel) => Run(0, (disk.VirtualSize + Shard - 1) / Shard, cancel);

    /// <summary>
    /// As <see cref="Run(CancellationToken)"/>, of the shards from <paramref name="firstShard"/> to the one before <paramref name="endShard"/>. Several
    /// processes may do that at once with a raw base, in which every byte has its place (growing it twice is the same as once), and with one that was grown
    /// before and opened to merge shards (<see cref="IMergeShard"/>).
    /// </summary>
    public void Run(long firstShard, long endShard, CancellationToken cancel)
    {
        Grow();
        LayeredDisk below = disk.Below(baseIndex);
        InPlaceTarget target = new(below, disk.VirtualSize, shardLength: Shard);
        DiskSource source = new(disk, baseIndex, targetBackingSize: long.MaxValue);
        new Converter(source, target, options).Run(firstShard, endShard, cancel);
        target.Finish();
    }

    /// <summary>Makes the base as large as the top where it is smaller.</summary>
    public void Grow()
    {
        if (disk.Layers[baseIndex].VirtualSize < disk.VirtualSize)
        {
            Resizer.Resize(disk.Below(baseIndex), disk.VirtualSize, "off");
        }
    }

    /// <summary>Drops all that the top holds, where its format can.</summary>
    /// <exception cref="ImageException"><see cref="ImageErrorKind.Unsupported"/>.</exception>
    public static void EmptyTop(LayeredDisk disk)
    {
        switch (disk.Top)
        {
            case IEmptyable emptyable:
                emptyable.MakeEmpty();
                break;
            default:
                throw new ImageException(ImageErrorKind.Unsupported, disk.Top.FileName, "Operation not supported");
        }
    }
}
