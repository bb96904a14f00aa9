using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Filling;

/// <summary>A target in which every guest byte has its place in a file beforehand: ranges may be copied there without this process seeing them.</summary>
public interface IRangeTarget
{
    /// <summary>Where a guest offset stands; what follows it in the guest follows it in the file.</summary>
    (IBlockFile File, long Offset) PlaceOf(long guestOffset);
}
