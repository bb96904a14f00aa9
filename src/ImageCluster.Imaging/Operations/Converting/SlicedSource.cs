namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>A part of a source, as a disk of its own (dd). Units: bytes.</summary>
/// <param name="source">The whole.</param>
/// <param name="start">Where in the whole the part starts.</param>
/// <param name="length">How long it is; it must lie in the whole.</param>
public sealed class SlicedSource(IConvertSource source, long start, long length) : IConvertSource
{
    public long VirtualSize => length;

    public SourceRange Map(long offset, long length) => source.Map(start + offset, length);

    public void Read(long offset, Span<byte> buffer) => source.Read(start + offset, buffer);
}
