using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Raw;

/// <summary>Fills a raw image: every byte has its place, so reserving and publishing cost nothing.</summary>
/// <param name="file">The image; owned.</param>
/// <param name="virtualSize">Bytes of the guest's disk.</param>
/// <param name="isZero">It reads as zeros where nothing has been written.</param>
internal sealed class RawFill(IBlockFile file, long virtualSize, bool isZero) : PlacedFill(virtualSize), IRangeTarget
{
    public override bool UnwrittenIsZero => isZero;

    public (IBlockFile File, long Offset) PlaceOf(long guestOffset) => (file, guestOffset);

    public override void Flush() => file.Flush();

    public override void Finish() => file.Flush();

    public override void Dispose() => file.Dispose();

    protected override void Write(long offset, ReadOnlySpan<byte> data) => file.Write(offset, data);

    protected override void WriteZeroes(long offset, long length) => file.WriteZeroes(offset, length, ZeroMode.MayUnmap);
}
