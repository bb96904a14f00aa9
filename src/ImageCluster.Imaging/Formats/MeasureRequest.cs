using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Operations.Converting;

namespace ImageCluster.Imaging.Formats;

/// <summary>An image whose file size is to be calculated before it is made (measure).</summary>
public sealed class MeasureRequest
{
    /// <summary>Size of the guest's disk in bytes.</summary>
    public required long VirtualSize { get; init; }

    /// <summary>Options of create, by name.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();

    /// <summary>What is to be converted into the image; null for an empty image.</summary>
    public IConvertSource? Source { get; init; }

    /// <summary>The source's persistent bitmaps; null where its format has none.</summary>
    public IReadOnlyList<ImageBitmap>? SourceBitmaps { get; init; }

    public Func<string, byte[]?> Secret { get; init; } = static _ => null;
}

/// <summary>What <see cref="ImageFormat.Measure"/> says; bytes of the file.</summary>
/// <param name="Required">For the image with the source's data.</param>
/// <param name="FullyAllocated">For the image once all of the disk is written.</param>
/// <param name="Bitmaps">Beside that, for copies of the source's bitmaps; null where source or format has none.</param>
public readonly record struct MeasureResult(long Required, long FullyAllocated, long? Bitmaps = null);
