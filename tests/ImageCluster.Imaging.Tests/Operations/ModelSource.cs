using ImageCluster.Imaging.Operations.Converting;

namespace ImageCluster.Imaging.Tests.Operations;

/// <summary>A source over a byte array with a map of its own: what it calls zero is zero, what it calls data may be anything.</summary>
internal sealed class ModelSource(byte[] bytes, IReadOnlyList<(long End, SourceKind Kind)> map) : IConvertSource
{
    public long VirtualSize => bytes.Length;

    public int Reads;

    public SourceRange Map(long offset, long length)
    {
        (long end, SourceKind kind) = map.First(entry => entry.End > offset);
        return new SourceRange(Math.Min(length, end - offset), kind);
    }

    public void Read(long offset, Span<byte> buffer)
    {
        Interlocked.Increment(ref Reads);
        bytes.AsSpan((int)offset, buffer.Length).CopyTo(buffer);
    }
}
