using ImageCluster.Imaging.Extents;

namespace ImageCluster.Imaging.Formats;

/// <summary>
/// One image file (with the extent or data files that belong to it), opened. It answers for itself alone and never opens its
/// parents: <see cref="Chains.LayeredDisk"/> asks the next layer for what is absent. Reading is safe from any number of threads.
/// </summary>
public interface IImageLayer : IDisposable
{
    /// <summary>The format's name as qemu-img says it, e.g. <c>qcow2</c>.</summary>
    string FormatName { get; }

    /// <summary>The name of the image's file, as it was given.</summary>
    string FileName { get; }

    /// <summary>Size of the guest's disk in bytes.</summary>
    long VirtualSize { get; }

    /// <summary>The unit of allocation in bytes (cluster, grain, block), a power of two; 1 for raw.</summary>
    long Granularity { get; }

    /// <summary>The backing file that the header names, or null.</summary>
    BackingReference? Backing { get; }

    /// <summary>
    /// Says what stands at <paramref name="offset"/> and for how many bytes the answer holds: an extent that starts at
    /// <paramref name="offset"/> and is 1 to <paramref name="length"/> bytes long. The range must lie in the virtual disk.
    /// Neighbouring clusters that continue each other come as one extent, as far as one look at the metadata shows.
    /// </summary>
    Extent Map(long offset, long length);

    /// <summary>
    /// Reads the bytes of <paramref name="extent"/>, or of a slice of it, as <see cref="Map"/> gave it: kind data or compressed,
    /// <paramref name="buffer"/> as long as the extent. (A slice of a compressed extent keeps the host offset of the whole.)
    /// </summary>
    void Read(in Extent extent, Span<byte> buffer);

    /// <summary>What <c>info</c> shows beyond sizes and names.</summary>
    FormatSpecificInfo? DescribeSpecific();
}

/// <summary>A backing file as the header names it.</summary>
/// <param name="Name">The reference, unresolved: relative to the referring image, absolute, or a URL.</param>
/// <param name="Format">The format that the header states, or null where it is to be probed.</param>
public sealed record BackingReference(string Name, string? Format);
