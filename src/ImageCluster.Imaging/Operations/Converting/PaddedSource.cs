namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>A source made longer by zeros: the target may be larger than what is converted into it.</summary>
internal sealed class PaddedSource(IConvertSource source, long virtualSize) : IConvertSource
{
    public long VirtualSize => virtualSize;

    public SourceRange Map(long offset, long length) => offset >= source.VirtualSize
        ? new SourceRange(length, SourceKind.Zero)
        : source.Map(offset, Math.Min(length, source.VirtualSize - offset));

    /// <summary>Reads what the source has; the converter itself supplies the zeros behind it.</summary>
    public void Read(long offset, Span<byte> buffer) => source.Read(offset, buffer);
}
