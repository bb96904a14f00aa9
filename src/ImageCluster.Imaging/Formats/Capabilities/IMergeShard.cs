using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>
/// A layer that was opened to merge one shard into its image (<see cref="OpenContext.Room"/>). The guest's bytes are written as ever. Those of clusters that the image
/// has for itself go to their place, all others to the room, and so do the tables that change: until the image's owner takes them in, the file says what it said. The
/// same shard may be merged again by somebody else, into other room, and leads to the same.
/// </summary>
public interface IMergeShard : IWritableLayer
{
    /// <summary>What the shard occupies, once all of it is written and flushed; null where no table changed.</summary>
    /// <param name="shard">The shard's number.</param>
    /// <param name="shardLength">Bytes of the guest's disk that are a shard; a multiple of what a second-level table maps.</param>
    ShardManifest? MergedShard(long shard, long shardLength);
}
