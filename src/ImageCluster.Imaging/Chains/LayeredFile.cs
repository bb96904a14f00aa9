using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Chains;

/// <summary>
/// A guest's disk as a file, for an image that lies in another: a qcow2 image in a part of a larger file, say. Owns the disk. Writes take
/// turns, because neighbours may share a cluster of the image below.
/// </summary>
/// <param name="disk">The disk.</param>
/// <param name="name">What messages call it.</param>
/// <param name="canWrite">The disk is open for writing.</param>
public sealed class LayeredFile(LayeredDisk disk, string name, bool canWrite) : IBlockFile
{
    private readonly Lock _writing = new();

    /// <summary>The disk.</summary>
    public LayeredDisk Disk => disk;

    public string Name => name;

    public long Length => disk.VirtualSize;

    public bool CanWrite => canWrite;

    public bool CanResize => canWrite && disk.Top is IResizable;

    public long AllocatedBytes => disk.Top is IImageStatus { AllocatedBytes: var bytes } ? bytes : Length;

    public int Read(long offset, Span<byte> buffer)
    {
        int length = (int)Math.Clamp(Length - offset, 0, buffer.Length);
        disk.Read(offset, buffer[..length]);
        return length;
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        lock (_writing)
        {
            Extend(offset + data.Length);
            disk.Write(offset, data);
        }
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        lock (_writing)
        {
            Extend(offset + length);
            disk.WriteZeroes(offset, length, mode);
        }
    }

    /// <summary>Does nothing: a hint.</summary>
    public void Discard(long offset, long length)
    {
    }

    public void SetLength(long length)
    {
        lock (_writing)
        {
            Resize(length);
        }
    }

    public void Allocate(long offset, long length)
    {
        lock (_writing)
        {
            Extend(offset + length);
        }
    }

    public void Flush()
    {
        if (canWrite)
        {
            disk.Flush();
        }
    }

    public (long Length, bool IsHole) NextRange(long offset, long length)
    {
        Extent extent = disk.Map(offset, length).Extent;
        return (extent.Length, extent.Kind is ExtentKind.Zero or ExtentKind.Absent);
    }

    public void Dispose() => disk.Dispose();

    private void Extend(long end)
    {
        if (end > Length)
        {
            Resize(end);
        }
    }

    private void Resize(long length)
    {
        if (length == Length)
        {
            return;
        }

        if (disk.Top is not IResizable image)
        {
            throw new ImageException(ImageErrorKind.Unsupported, name, "Image format driver does not support resize");
        }

        // Images count in sectors.
        length = (length + 511) & -512L;
        if (disk.Layers.Count > 1)
        {
            Resizer.Resize(disk, length, "off");
        }
        else
        {
            image.Resize(length, "off");
        }
    }
}
