namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>A source made longer by zeros: the target may be larger than what is converted into it.</summary>
internal sealed class PaddedSource(IConvertSource source, long virtualSize) : IConvertSource
{
    public long VirtualSize => virtualSize;

    public SourceRange Map(long offset, long length) => offset >= source.VirtualSize
        ? new SourceRange(length, SourceKind.Zero)
        : source.Map(offset, Math.Min(length, source.VirtualSize - offset));

    public void Read(long offset, Span<byte> buffer)
    {
        int inside = (int)Math.Clamp(source.VirtualSize - offset, 0, buffer.Length);
        source.Read(offset, buffer[..inside]);
        buffer[inside..].Clear();
    }
}
