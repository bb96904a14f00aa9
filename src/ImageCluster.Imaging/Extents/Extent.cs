using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Extents;

/// <summary>What a layer knows of a range of the guest's bytes.</summary>
public enum ExtentKind : byte
{
    /// <summary>The layer says nothing: ask the layer below; zeros where there is none.</summary>
    Absent,

    /// <summary>The range reads as zeros, whatever lies below.</summary>
    Zero,

    /// <summary>The range's bytes stand in a file as they are (or encrypted), from <see cref="Extent.HostOffset"/> on.</summary>
    Data,

    /// <summary>The range's bytes must be inflated: only <see cref="Formats.IImageLayer.Read"/> can say them.</summary>
    Compressed,
}

/// <summary>A run of the guest's bytes that is all of one kind and, where it is data, contiguous in its file. Units: bytes.</summary>
/// <param name="Start">Guest offset of the first byte, 0 or more.</param>
/// <param name="Length">Bytes, 1 or more.</param>
/// <param name="Kind">What is there.</param>
/// <param name="File">The file that holds it; null where there is nothing to point at.</param>
/// <param name="HostOffset">
/// Where in <paramref name="File"/> it starts, or -1. A zero extent may have one too: space that is allocated and reads as zeros.
/// </param>
/// <param name="IsHole">
/// Of a zero extent: the zeros are a hole of <paramref name="File"/> under space that is allocated as data, not a word of the metadata. Of data in a raw
/// file: nothing was ever put there, and nobody knows what is read.
/// </param>
public readonly record struct Extent(
    long Start, long Length, ExtentKind Kind, IBlockFile? File = null, long HostOffset = -1, bool IsHole = false)
{
    /// <summary>Guest offset of the first byte behind the extent.</summary>
    public long End => Start + Length;

    /// <summary>True where <paramref name="next"/> continues this extent in the guest, in kind and in its file.</summary>
    public bool Joins(in Extent next) =>
        next.Start == End && next.Kind == Kind && next.IsHole == IsHole && ReferenceEquals(next.File, File) && Kind != ExtentKind.Compressed &&
        (HostOffset < 0 ? next.HostOffset < 0 : next.HostOffset == HostOffset + Length);
}
