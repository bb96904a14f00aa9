using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A layer, opened for writing by nobody else, that begins and ends the merging of shards. Each may be done again, by another process too.</summary>
public interface IMergeOwner : IMergeTarget
{
    /// <summary>Makes the image ready: everything that the file says of itself is durable and stays as it is until the end. Durable on return.</summary>
    /// <exception cref="ImageException"><see cref="ImageErrorKind.Unsupported"/>: <see cref="IMergeTarget.MergeShardLength"/> is 0.</exception>
    MergeRoom StartMerge();

    /// <summary>
    /// Takes in the shards: their clusters count as used first, then tables refer to them, then what these replace becomes free. A crash in between leaves at worst
    /// leaks, which the next attempt removes. Durable on return.
    /// </summary>
    /// <param name="manifests">One for each shard that wrote anything, in any order.</param>
    /// <param name="shardLength">Bytes of the guest's disk that are a shard; a multiple of what a second-level table maps.</param>
    /// <param name="room">As <see cref="StartMerge"/> gave it.</param>
    /// <exception cref="ImageException">The image was written to by another program since, or a manifest cannot be right.</exception>
    void FinishMerge(IReadOnlyCollection<ShardManifest> manifests, long shardLength, MergeRoom room);

    /// <summary>Gives the merging up: nothing of it counts, and the file is cut back to what is in use. Does nothing where there is none.</summary>
    /// <param name="room">As <see cref="StartMerge"/> gave it; null where that is not known.</param>
    void AbandonMerge(MergeRoom? room);
}
