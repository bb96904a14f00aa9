namespace ImageCluster.Imaging.Formats.Filling;

/// <summary>Where shards that are merged into an image find room. Bytes.</summary>
/// <param name="Start">Nothing of the image stands at this host offset or behind it.</param>
/// <param name="Alignment">Room starts at multiples of it, a power of two.</param>
/// <param name="End">The format refers to nothing at or behind this offset.</param>
public readonly record struct MergeRoom(long Start, long Alignment, long End);
