namespace ImageCluster.Imaging.Compression;

/// <summary>
/// Compresses and inflates clusters (grains, blocks): each is a stream of its own. Safe from any number of threads: what a
/// thread needs is taken from the codec's pool for the length of a call. One codec an image; disposing it frees the pool.
/// </summary>
public interface IClusterCodec : IDisposable
{
    /// <summary>
    /// Compresses <paramref name="source"/> into <paramref name="target"/> and returns the number of bytes written;
    /// 0 where the result does not fit. The same input gives the same bytes on every thread.
    /// </summary>
    int Compress(ReadOnlySpan<byte> source, Span<byte> target);

    /// <summary>
    /// Inflates the stream at the start of <paramref name="source"/> until <paramref name="target"/> is full; what follows the stream
    /// (padding up to a sector) is ignored.
    /// </summary>
    /// <exception cref="ImageException"><see cref="ImageErrorKind.Corrupt"/>: the stream is damaged or fills less than <paramref name="target"/>.</exception>
    void Decompress(ReadOnlySpan<byte> source, Span<byte> target);
}
