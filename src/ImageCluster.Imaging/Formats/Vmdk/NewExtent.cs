using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>An extent file that is being made.</summary>
/// <param name="file">Open for writing.</param>
/// <param name="start">Guest offset, bytes.</param>
/// <param name="length">Guest bytes.</param>
/// <param name="lineName">As the descriptor names it.</param>
/// <param name="layout">Null for a flat extent.</param>
internal sealed class NewExtent(IBlockFile file, long start, long length, string lineName, SparseLayout? layout)
{
    private int _touched;

    public IBlockFile File => file;

    public long Start => start;

    public long Length => length;

    public string LineName => lineName;

    public SparseLayout? Layout => layout;

    /// <summary>Gives the file its length and, where asked for, its directories.</summary>
    public void WriteStart(bool directories)
    {
        if (layout is null)
        {
            SetLength(length);
            file.AllocateStart(length);
        }
        else if (directories)
        {
            SetLength(layout.GrainOffset);
            if (!file.CanResize)
            {
                // What a device held before would be taken for grain tables.
                file.WriteZeroes(0, layout.GrainOffset, ZeroMode.KeepAllocated);
            }

            layout.WriteDirectories(file);
        }
        else if (!file.CanResize)
        {
            throw new ImageException(ImageErrorKind.Unsupported, file.Name, "A streamOptimized image ends where its file ends: it cannot be written to a device");
        }

        Touch();
    }

    /// <summary>Something was written that <see cref="Flush"/> must make durable.</summary>
    public void Touch() => Volatile.Write(ref _touched, 1);

    public void Flush()
    {
        if (Interlocked.Exchange(ref _touched, 0) != 0)
        {
            file.Flush();
        }
    }

    private void SetLength(long bytes)
    {
        if (file.CanResize)
        {
            file.SetLength(bytes);
        }
        else if (file.Length < bytes)
        {
            throw new ImageException(ImageErrorKind.NoSpace, file.Name, "Device is too small for the image");
        }
    }
}
