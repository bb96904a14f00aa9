using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>An extent, or what stands for it, that can be written in place. Guest offsets of the disk; ranges lie in the extent.</summary>
internal interface IWritableExtent
{
    /// <inheritdoc cref="IWritableLayer.Write"/>
    void Write(long offset, ReadOnlySpan<byte> data);

    /// <inheritdoc cref="IWritableLayer.WriteZeroes"/>
    void WriteZeroes(long offset, long length, ZeroMode mode);

    /// <inheritdoc cref="IWritableLayer.Discard"/>
    void Discard(long offset, long length);

    /// <inheritdoc cref="IWritableLayer.Flush"/>
    void Flush();
}
