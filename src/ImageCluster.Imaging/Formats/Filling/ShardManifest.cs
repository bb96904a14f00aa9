namespace ImageCluster.Imaging.Formats.Filling;

/// <summary>
/// What the filler of a shard tells the owner of the target's metadata: small whatever the shard's size, and all that publishing needs.
/// </summary>
/// <param name="Shard">The shard's number: guest offset divided by the target's shard length.</param>
/// <param name="Tables">Host offsets (bytes) of the shard's second-level tables in guest order, 0 for one that is not there; empty for formats without.</param>
/// <param name="Rooms">What the shard occupies, in host order, tables included.</param>
/// <param name="DataBytes">Payload written, bytes.</param>
public sealed record ShardManifest(long Shard, IReadOnlyList<long> Tables, IReadOnlyList<RoomExtent> Rooms, long DataBytes);

/// <summary>A range of the target file that a shard occupies.</summary>
/// <param name="Start">Host offset, bytes.</param>
/// <param name="Length">Bytes.</param>
/// <param name="References">How many guest clusters refer to each host cluster of the range (above 1 for packed compressed clusters);
/// 0 where that differs from cluster to cluster: whoever publishes counts in the shard's tables.</param>
public readonly record struct RoomExtent(long Start, long Length, int References = 1);
