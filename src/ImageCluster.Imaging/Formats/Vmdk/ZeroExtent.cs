using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>An extent of type ZERO: no file, reads as zeros. (QEMU leaves such lines out and so moves all that follows.)</summary>
internal sealed class ZeroExtent(long start, long length, string descriptorName) : VmdkExtent(start, length, null, "ZERO"), IWritableExtent
{
    public override Extent Map(long offset, long length) => new(offset, length, ExtentKind.Zero);

    public override void Read(in Extent extent, Span<byte> buffer) => buffer.Clear();

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (!ZeroScan.IsZero(data))
        {
            throw new ImageException(ImageErrorKind.Unsupported, descriptorName, $"Extent of type ZERO at offset {Start:#,0} cannot be written");
        }
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
    }

    public void Discard(long offset, long length)
    {
    }

    public void Flush()
    {
    }
}
