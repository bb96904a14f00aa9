using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Operations.Converting;

namespace ImageCluster.Cli.Demonstrating;

/// <summary>A disk as an overlay sees it: only what differs from its base has to be written.</summary>
internal sealed class DifferenceSource(LayeredDisk disk, LayeredDisk baseDisk) : IConvertSource
{
    private const int Unit = 64 << 10;

    private readonly byte[] _a = new byte[Unit];
    private readonly byte[] _b = new byte[Unit];

    public long VirtualSize => disk.VirtualSize;

    // Asked from one thread at a time, as the converter does.
    public SourceRange Map(long offset, long length)
    {
        int unit = (int)Math.Min(length, Unit - offset % Unit);
        disk.Read(offset, _a.AsSpan(0, unit));
        baseDisk.Read(offset, _b.AsSpan(0, unit));
        return new SourceRange(unit, _a.AsSpan(0, unit).SequenceEqual(_b.AsSpan(0, unit)) ? SourceKind.Same : SourceKind.Data);
    }

    public void Read(long offset, Span<byte> buffer) => disk.Read(offset, buffer);
}
