namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A writable layer that can store clusters compressed.</summary>
public interface ICompressedWriter
{
    /// <summary>
    /// Stores whole units of <see cref="IImageLayer.Granularity"/> (the last may end with the disk), each compressed, or as it is where
    /// compressing does not make it smaller. What the units held before is replaced. Safe from any number of threads, as
    /// <see cref="IWritableLayer.Write"/> is.
    /// </summary>
    /// <exception cref="ImageException"><see cref="ImageErrorKind.Unsupported"/>: encrypted, or with an external data file.</exception>
    void WriteCompressed(long offset, ReadOnlySpan<byte> data);
}
