using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>One disk as a source. Does not own the disk.</summary>
/// <param name="disk">The disk.</param>
/// <param name="layersAboveBase">
/// How many layers stand above the image that the target will have as its backing file: what none of them has is the same there.
/// All layers, for a target without a backing file.
/// </param>
/// <param name="targetBackingSize">
/// Bytes of the guest's disk that the target's backing file covers, null where it has none: what lies behind reads as zeros unless it is written.
/// </param>
public sealed class DiskSource(LayeredDisk disk, int layersAboveBase = int.MaxValue, long? targetBackingSize = null) : IConvertSource
{
    private readonly int _layers = Math.Min(layersAboveBase, disk.Layers.Count);

    // Where the source's own backing file ends, or there is none, what the layers above do not have is zero: nothing else may show through.
    private readonly long _belowSize = BelowSize(disk, layersAboveBase);

    public long VirtualSize => disk.VirtualSize;

    public SourceRange Map(long offset, long length)
    {
        if (targetBackingSize is not { } backingSize)
        {
            return Answer(disk.MapAbove(offset, length, _layers), zero: SourceKind.Zero, absent: SourceKind.Zero);
        }

        if (offset >= backingSize)
        {
            return Answer(disk.Map(offset, length), zero: SourceKind.Same, absent: SourceKind.Same);
        }

        bool isAboveBase = offset < _belowSize;
        length = Math.Min(length, (isAboveBase ? Math.Min(_belowSize, backingSize) : backingSize) - offset);
        return Answer(disk.MapAbove(offset, length, _layers), zero: SourceKind.Zero, absent: isAboveBase ? SourceKind.Same : SourceKind.Zero);
    }

    public void Read(long offset, Span<byte> buffer) => disk.Read(offset, buffer);

    public bool TryCopy(long offset, long length, IBlockFile target, long targetOffset)
    {
        if (target is not IRangeCopy copier)
        {
            return false;
        }

        for (long end = offset + length; offset < end;)
        {
            DiskExtent found = disk.Map(offset, end - offset);
            Extent extent = found.Extent;
            if (!IsPlain(found) || !copier.TryCopyFrom(extent.File!, extent.HostOffset, targetOffset, extent.Length))
            {
                return false;
            }

            offset += extent.Length;
            targetOffset += extent.Length;
        }

        return true;
    }

    public bool CanCopy(long offset, long length)
    {
        for (long end = offset + length; offset < end;)
        {
            DiskExtent found = disk.Map(offset, end - offset);
            if (!IsPlain(found) || found.Extent.File is not IRangeCopy)
            {
                return false;
            }

            offset = found.Extent.End;
        }

        return true;
    }

    private bool IsPlain(in DiskExtent found) =>
        found.Extent is { Kind: ExtentKind.Data, File: not null, HostOffset: >= 0 } && disk.Layers[found.Depth] is not IImageStatus { IsEncrypted: true };

    // A format that does not tell what it holds has no holes that something else could show through.
    private static long BelowSize(LayeredDisk disk, int layers) =>
        layers < disk.Layers.Count && disk.Top is not IImageStatus { TellsPlaces: false } ? disk.Layers[layers].VirtualSize : 0;

    private static SourceRange Answer(in DiskExtent found, SourceKind zero, SourceKind absent) => new(found.Extent.Length, found.Extent.Kind switch
    {
        ExtentKind.Zero => zero,
        ExtentKind.Absent => absent,
        _ => SourceKind.Data,
    });
}
