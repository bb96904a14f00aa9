using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>The guest's bytes that a conversion reads: one disk, a part of a chain, or several disks one after the other.</summary>
public interface IConvertSource
{
    /// <summary>Bytes.</summary>
    long VirtualSize { get; }

    /// <summary>
    /// Says what the conversion has to do for the bytes at <paramref name="offset"/> and for how many of them (1 to
    /// <paramref name="length"/>).
    /// </summary>
    SourceRange Map(long offset, long length);

    /// <summary>Reads guest bytes; safe from any number of threads.</summary>
    void Read(long offset, Span<byte> buffer);

    /// <summary>
    /// Has the storage copy a range into a file, the bytes not passing through this process. False where it cannot: then a part may have been
    /// copied, and all of it is to be written.
    /// </summary>
    bool TryCopy(long offset, long length, IBlockFile target, long targetOffset) => false;

    /// <summary>The bytes of the range stand in files that the storage can copy from as they are.</summary>
    bool CanCopy(long offset, long length) => false;
}

/// <param name="Length">Bytes for which the answer holds.</param>
/// <param name="Kind">What is there.</param>
public readonly record struct SourceRange(long Length, SourceKind Kind);

public enum SourceKind : byte
{
    /// <summary>Must be read (it may turn out to be zeros).</summary>
    Data,

    /// <summary>Reads as zeros.</summary>
    Zero,

    /// <summary>The target's own backing file shows the same: nothing to write.</summary>
    Same,
}
