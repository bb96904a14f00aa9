using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;

namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>One disk as a source. Does not own the disk.</summary>
/// <param name="disk">The disk.</param>
/// <param name="layersAboveBase">
/// How many layers stand above the image that the target will have as its backing file: what none of them has is the same there.
/// All layers, for a target without a backing file.
/// </param>
/// <param name="targetHasBacking">The target has a backing file.</param>
public sealed class DiskSource(LayeredDisk disk, int layersAboveBase = int.MaxValue, bool targetHasBacking = false) : IConvertSource
{
    private readonly int _layers = Math.Min(layersAboveBase, disk.Layers.Count);

    public long VirtualSize => disk.VirtualSize;

    public SourceRange Map(long offset, long length)
    {
        DiskExtent found = disk.MapAbove(offset, length, _layers);
        SourceKind kind = found.Extent.Kind switch
        {
            ExtentKind.Zero => SourceKind.Zero,
            ExtentKind.Absent => targetHasBacking ? SourceKind.Same : SourceKind.Zero,
            _ => SourceKind.Data,
        };
        return new SourceRange(found.Extent.Length, kind);
    }

    public void Read(long offset, Span<byte> buffer) => disk.Read(offset, buffer);
}
