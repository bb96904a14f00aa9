using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Filling;

/// <summary>
/// Has the storage copy guest bytes of a source into a file, without this process seeing them. False where it cannot: then a part
/// may have been copied, and all of it is to be written.
/// </summary>
public delegate bool RangeCopier(long guestOffset, long length, IBlockFile file, long offset);

/// <summary>Reads guest bytes of a source; zeros beyond its end.</summary>
public delegate void RangeReader(long guestOffset, Span<byte> buffer);
