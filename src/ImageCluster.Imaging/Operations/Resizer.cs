using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Operations;

/// <summary>Changes the size of a guest's disk.</summary>
public static class Resizer
{
    // QEMU's BDRV_MAX_LENGTH.
    private const long MaxLength = long.MaxValue / (1 << 30) * (1 << 30);

    /// <param name="disk">Its top is open for writing.</param>
    /// <param name="newSize">Bytes.</param>
    /// <param name="preallocation">off, metadata, falloc or full.</param>
    /// <param name="oldSize">
    /// Bytes that the guest knew before; null for the disk's size. Less than that where an earlier attempt has grown the disk and may have got no further.
    /// </param>
    /// <exception cref="ImageException"><see cref="ImageErrorKind.Unsupported"/>: the format cannot be resized.</exception>
    public static void Resize(LayeredDisk disk, long newSize, string preallocation, long? oldSize = null)
    {
        if (newSize > MaxLength)
        {
            throw new ImageException(ImageErrorKind.Limit, disk.Top.FileName, $"offset({newSize}) exceeds maximum({MaxLength})");
        }

        if (disk.Top is not IResizable resizable)
        {
            throw new ImageException(ImageErrorKind.Unsupported, disk.Top.FileName, "Image format driver does not support resize");
        }

        try
        {
            Change(disk, resizable, newSize, preallocation, oldSize);
        }
        catch (ImageException e) when (e.Kind is ImageErrorKind.Io or ImageErrorKind.NoSpace)
        {
            disk.NoteFailure();
            throw;
        }
    }

    private static void Change(LayeredDisk disk, IResizable resizable, long newSize, string preallocation, long? oldSize)
    {
        long sizeBefore = disk.VirtualSize;
        long shownSize = oldSize ?? sizeBefore;
        bool isCovered = disk.Layers.Count > 1 && newSize > shownSize && disk.Layers[1].VirtualSize > shownSize;
        if (isCovered && newSize > sizeBefore)
        {
            resizable.CheckGrowthOverBacking(newSize, preallocation);
        }

        if (isCovered && sizeBefore > shownSize)
        {
            resizable.Unrecorded(() => disk.WriteZeroes(shownSize, sizeBefore - shownSize, ZeroMode.MayUnmap));
        }

        if (preallocation != "off" && disk.Layers.Count > 1 && newSize > sizeBefore)
        {
            resizable.Unrecorded(() => TakeOverEnd(disk));
        }

        // Where the disk grows over a longer backing file, the guest must find zeros, not what the backing file has there: all that is
        // added says so, as with QEMU. What was preallocated is zeros already, and keeps its room.
        bool hides = isCovered && preallocation == "off";
        resizable.Resize(newSize, preallocation, hides ? () => disk.WriteZeroes(sizeBefore, newSize - sizeBefore, ZeroMode.MayUnmap) : null);
        disk.Flush();
    }

    // The cluster that the old end lies in gets room of its own: what the backing file has of it must be in it by then.
    private static void TakeOverEnd(LayeredDisk disk)
    {
        long start = disk.VirtualSize / disk.WritableTop.WriteUnit * disk.WritableTop.WriteUnit;
        if (start < disk.VirtualSize)
        {
            byte[] end = new byte[disk.VirtualSize - start];
            disk.Read(start, end);
            disk.Write(start, end);
        }
    }
}
