using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>
/// Writes in place into an image with two levels of table. New clusters go to the file's end. Data goes to the file at once; changes
/// of the tables stay in memory until <see cref="Flush"/> has made the data durable, so that a crash leaves leaked clusters at worst.
/// </summary>
/// <param name="file">The image's file.</param>
/// <param name="tables">Its tables.</param>
/// <param name="map">What stands at a guest offset, for at most so many bytes.</param>
/// <param name="zeroFilled">
/// A new cluster reads as zeros where it was not written, so that part of one may be written. Not so over a backing file or with encryption.
/// </param>
/// <param name="put">Writes guest bytes (guest offset, host offset, bytes) into a place of their own.</param>
internal sealed class ClusterWriter(
    IBlockFile file, ClusterTables tables, Func<long, long, Extent> map, bool zeroFilled, ClusterWriter.DataWriter put)
{
    private readonly Lock _allocating = new();
    private long _end = RoundUp(file.Length, tables.Shape.ClusterSize);

    public delegate void DataWriter(long guestOffset, long hostOffset, ReadOnlySpan<byte> data);

    /// <summary>What must be written whole where nothing is allocated, bytes.</summary>
    public long WriteUnit => zeroFilled ? 1 : tables.Shape.ClusterSize;

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            Extent extent = map(offset, data.Length);
            int length = (int)extent.Length;
            if (extent.Kind == ExtentKind.Data)
            {
                put(offset, extent.HostOffset, data[..length]);
            }
            else if (offset % ClusterSize != 0 || (zeroFilled && length < ClusterSize))
            {
                length = (int)Math.Min(length, ClusterSize - offset % ClusterSize);
                put(offset, Claim(offset) + offset % ClusterSize, data[..length]);
            }
            else
            {
                length = WriteWhole(offset, data[..length]);
            }

            offset += length;
            data = data[length..];
            if (tables.WantsWriteBack)
            {
                Flush();
            }
        }
    }

    /// <summary>Gives a cluster another entry.</summary>
    public void Set(long offset, ulong entry)
    {
        lock (_allocating)
        {
            tables.Set(offset / ClusterSize, entry, () => TakeLocked(tables.Shape.L2Length, ClusterSize));
        }
    }

    /// <summary>Takes room at the file's end.</summary>
    /// <param name="length">Bytes.</param>
    /// <param name="alignment">What the offset must be a multiple of, bytes.</param>
    public long Take(long length, long alignment = 0)
    {
        lock (_allocating)
        {
            return TakeLocked(length, alignment == 0 ? ClusterSize : alignment);
        }
    }

    /// <summary>The file's end, as far as clusters go: nothing lies behind it.</summary>
    public long End => Volatile.Read(ref _end);

    /// <summary>Forgets all that lies behind an offset: the file has been cut there.</summary>
    public void Restart(long end)
    {
        lock (_allocating)
        {
            _end = RoundUp(end, ClusterSize);
        }
    }

    public void Flush()
    {
        // An entry is set when its data is written: with none being set meanwhile, all that is written back points to durable data.
        lock (_allocating)
        {
            file.Flush();
            tables.WriteBack();
        }
    }

    private long ClusterSize => tables.Shape.ClusterSize;

    private static long RoundUp(long offset, long unit) => (offset + unit - 1) / unit * unit;

    // Whole clusters, of which the last may be cut by the disk's end. What they held before shows until their new bytes are in place.
    private int WriteWhole(long offset, ReadOnlySpan<byte> data)
    {
        long clusters = Math.Max(1, data.Length / ClusterSize);
        int length = (int)Math.Min(data.Length, clusters * ClusterSize);
        long host = Take(clusters * ClusterSize);
        put(offset, host, data[..length]);
        lock (_allocating)
        {
            for (long at = 0; at < length; at += ClusterSize)
            {
                tables.Set((offset + at) / ClusterSize, (ulong)(host + at), () => TakeLocked(tables.Shape.L2Length, ClusterSize));
            }
        }

        return length;
    }

    // The place of a cluster that has one, or a new one that reads as zeros.
    private long Claim(long offset)
    {
        lock (_allocating)
        {
            Extent extent = map(offset, 1);
            if (extent.Kind == ExtentKind.Data)
            {
                return extent.HostOffset - offset % ClusterSize;
            }

            long host = TakeLocked(ClusterSize, ClusterSize);
            tables.Set(offset / ClusterSize, (ulong)host, () => TakeLocked(tables.Shape.L2Length, ClusterSize));
            return host;
        }
    }

    private long TakeLocked(long length, long alignment)
    {
        long offset = RoundUp(_end, alignment);
        _end = offset + length;
        if (file.CanResize)
        {
            file.SetLength(_end);
        }
        else
        {
            file.WriteZeroes(offset, length, ZeroMode.MayUnmap);
        }

        return offset;
    }
}
