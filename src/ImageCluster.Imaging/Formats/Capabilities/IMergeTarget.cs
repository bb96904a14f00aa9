namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>
/// An image that is there already and into which several processes can merge shards at once: a commit's base, the image of a rebase. Its owner makes it ready
/// (<see cref="IMergeOwner.StartMerge"/>), processes write shards into room that they are granted (<see cref="IMergeShard"/>), the owner takes them in
/// (<see cref="IMergeOwner.FinishMerge"/>).
/// </summary>
public interface IMergeTarget
{
    /// <summary>Bytes of the guest's disk that are a shard: whole second-level tables. 0 where one process must do the whole image.</summary>
    long MergeShardLength { get; }

    /// <summary>True from <see cref="IMergeOwner.StartMerge"/> on, until that ends or somebody else writes to the image.</summary>
    bool IsMerging { get; }
}
