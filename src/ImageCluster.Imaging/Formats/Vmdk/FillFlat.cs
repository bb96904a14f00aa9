using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Fills flat extents: every guest byte has its place. A shard divides an extent of 2 GiB, so that none lies in two files.</summary>
internal sealed class FillFlat(NewDisk disk) : PlacedFill(disk.Settings.Size)
{
    public override bool UnwrittenIsZero => disk.Extents.All(static extent => extent.File.CanResize);

    public override void Flush() => disk.Flush();

    public override void Finish() => disk.Complete();

    public override void Dispose() => disk.Dispose();

    protected override void Write(long offset, ReadOnlySpan<byte> data)
    {
        NewExtent extent = Touch(offset);
        extent.File.Write(offset - extent.Start, data);
    }

    protected override void WriteZeroes(long offset, long length)
    {
        NewExtent extent = Touch(offset);
        extent.File.WriteZeroes(offset - extent.Start, length, ZeroMode.MayUnmap);
    }

    private NewExtent Touch(long offset)
    {
        NewExtent extent = disk.Extents[(int)(offset / disk.Settings.ExtentBytes)];
        extent.Touch();
        return extent;
    }
}
