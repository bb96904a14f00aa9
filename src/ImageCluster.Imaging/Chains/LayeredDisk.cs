using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filters;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Chains;

/// <summary>
/// The guest's whole disk: a stack of layers that asks downwards for what a layer says nothing about. Reading is safe from any
/// number of threads. Owns its layers.
/// </summary>
public sealed class LayeredDisk : IDisposable
{
    private readonly IImageLayer[] _layers;
    private LayeredDisk? _owner;
    private volatile bool _hasFailed;

    /// <param name="layers">From the top (the active image) to the base; at least one.</param>
    public LayeredDisk(params IEnumerable<IImageLayer> layers)
    {
        _layers = [.. layers];
        ArgumentOutOfRangeException.ThrowIfZero(_layers.Length, nameof(layers));
    }

    /// <summary>Who is told of what each layer does to its file, null for nobody; null where there is nobody at all.</summary>
    internal IReadOnlyList<IDebugEvents?>? Events { get; init; }

    /// <summary>Top first.</summary>
    public IReadOnlyList<IImageLayer> Layers => _layers;

    public IImageLayer Top => _layers[0];

    /// <summary>Size of the guest's disk in bytes: that of the top layer.</summary>
    public long VirtualSize => _layers[0].VirtualSize;

    /// <summary>
    /// What stands at <paramref name="offset"/> in the whole chain, for 1 to <paramref name="length"/> bytes. Kind absent means that no
    /// layer says anything: it reads as zeros.
    /// </summary>
    public DiskExtent Map(long offset, long length) => MapAbove(offset, length, _layers.Length);

    /// <summary>As <see cref="Map"/>, looking at the first <paramref name="layerCount"/> layers only.</summary>
    public DiskExtent MapAbove(long offset, long length, int layerCount) => MapFrom(0, offset, length, layerCount);

    /// <summary>As <see cref="Map"/>, looking at the layers from <paramref name="first"/> to the one before <paramref name="end"/>.</summary>
    public DiskExtent MapFrom(int first, long offset, long length, int end)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        for (int depth = first; depth < end; depth++)
        {
            IImageLayer layer = _layers[depth];
            if (offset >= layer.VirtualSize)
            {
                // A layer that is shorter than the one above ends what can be known: zeros, as if this layer said so.
                return new DiskExtent(new Extent(offset, length, ExtentKind.Zero), depth);
            }

            Extent extent = layer.Map(offset, Math.Min(length, layer.VirtualSize - offset));
            length = extent.Length;
            if (extent.Kind != ExtentKind.Absent)
            {
                return new DiskExtent(extent, depth);
            }
        }

        return new DiskExtent(new Extent(offset, length, ExtentKind.Absent), end - 1);
    }

    /// <summary>The extents of a range, in order, each as long as one look shows; none for an empty range.</summary>
    public IEnumerable<DiskExtent> MapRange(long offset, long length) => MapRange(offset, length, _layers.Length);

    /// <summary>As <see cref="MapRange(long, long)"/>, looking at the first <paramref name="layerCount"/> layers only.</summary>
    public IEnumerable<DiskExtent> MapRange(long offset, long length, int layerCount)
    {
        for (long end = offset + length; offset < end;)
        {
            DiskExtent extent = MapAbove(offset, end - offset, layerCount);
            yield return extent;
            offset = extent.Extent.End;
        }
    }

    /// <summary>The disk below filters that let pass what is asked of where things are; this one where none stands above. Owns nothing.</summary>
    public LayeredDisk WithoutFilters => Top is FilterLayer { Image: { } below } ? below.Disk.WithoutFilters : this;

    /// <summary>The disk without its topmost layers. Owns nothing: its layers stay this disk's.</summary>
    public LayeredDisk Below(int first) => new(_layers.Skip(first)) { Events = Events?.Skip(first).ToList(), _owner = this };

    /// <summary>Reads guest bytes; what no layer has, and what lies beyond the disk's end, reads as zeros.</summary>
    public void Read(long offset, Span<byte> buffer) => ReadFrom(0, offset, buffer);

    /// <summary>As <see cref="Read(long, Span{byte})"/>, from layer <paramref name="first"/> downwards.</summary>
    public void ReadFrom(int first, long offset, Span<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            if (first >= _layers.Length || offset >= _layers[first].VirtualSize)
            {
                buffer.Clear();
                return;
            }

            if (_layers[first] is FilterLayer filter)
            {
                // It sees every read, whatever is known of what lies there.
                int length = (int)Math.Min(buffer.Length, filter.VirtualSize - offset);
                filter.ReadThrough(offset, buffer[..length]);
                offset += length;
                buffer = buffer[length..];
                continue;
            }

            DiskExtent found = MapFrom(first, offset, buffer.Length, _layers.Length);
            Span<byte> part = buffer[..(int)found.Extent.Length];
            Read(found, part);
            offset += part.Length;
            buffer = buffer[part.Length..];
        }
    }

    /// <summary>Reads the bytes of an extent that <see cref="Map"/> gave, or of a slice of it.</summary>
    public void Read(in DiskExtent extent, Span<byte> buffer)
    {
        if (extent.Extent.Kind is ExtentKind.Absent or ExtentKind.Zero)
        {
            buffer.Clear();
        }
        else
        {
            if (Events is not null)
            {
                RaiseRead(extent);
            }

            _layers[extent.Depth].Read(extent.Extent, buffer);
        }
    }

    /// <summary>The top layer where it was opened for writing.</summary>
    /// <exception cref="InvalidOperationException">It was not.</exception>
    public IWritableLayer WritableTop => _layers[0] as IWritableLayer ?? throw new InvalidOperationException("The top layer is open for reading only.");

    /// <summary>What becomes of a write of nothing but zeros (QEMU's detect-zeroes): zeros of this kind; null leaves it data.</summary>
    public ZeroMode? ZeroDetection { get; set; }

    /// <summary>Writes guest bytes into the top layer at any alignment; partial units are filled up from the chain first.</summary>
    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (ZeroDetection is { } mode && ZeroScan.IsZero(data))
        {
            WriteZeroes(offset, data.Length, mode);
        }
        else
        {
            WriteData(offset, data);
        }
    }

    private void WriteData(long offset, ReadOnlySpan<byte> data)
    {
        IWritableLayer top = WritableTop;
        long unit = top.WriteUnit;
        try
        {
            while (data.Length > 0)
            {
                Events?[0]?.Raise("write_aio");
                Extent mapped = MapForWriting(top, unit, offset, data);
                int length = (int)mapped.Length;
                if (mapped.Kind == ExtentKind.Data)
                {
                    top.Write(offset, data[..length]);
                }
                else
                {
                    length = WriteUnits(top, unit, offset, data);
                }

                offset += length;
                data = data[length..];
            }
        }
        catch (ImageException)
        {
            NoteFailure();
            throw;
        }
    }

    // An entry that is wrong is told of as of one that is written to: by the layer's own write.
    private static Extent MapForWriting(IWritableLayer top, long unit, long offset, ReadOnlySpan<byte> data)
    {
        try
        {
            return top.Map(offset, data.Length);
        }
        catch (ImageException e) when (e.Corruption != CorruptionSignal.None)
        {
            int first = (int)Math.Min(data.Length, unit - offset % unit);
            if (first < data.Length)
            {
                return MapForWriting(top, unit, offset, data[..first]);
            }

            top.Write(offset, data);
            throw;
        }
    }

    /// <summary>Makes a range of the top layer read as zeros at any alignment.</summary>
    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        IWritableLayer top = WritableTop;
        long unit = top.WriteUnit;
        long end = offset + length;
        long from = Math.Min(end, RoundUp(offset, unit));
        long to = end == top.VirtualSize ? end : Math.Max(from, end / unit * unit);
        if (from > offset)
        {
            WriteData(offset, new byte[from - offset]);
        }

        if (to > from)
        {
            WriteWholeZeroes(top, from, to - from, mode);
        }

        if (end > to)
        {
            WriteData(to, new byte[end - to]);
        }
    }

    public void Flush()
    {
        try
        {
            WritableTop.Flush();
        }
        catch (ImageException)
        {
            NoteFailure();
            throw;
        }
    }

    /// <summary>Stores what is still to be stored. Where that fails after a write had failed already, it is not told again.</summary>
    public void Dispose()
    {
        List<Exception>? failures = null;
        foreach (IImageLayer layer in _layers)
        {
            try
            {
                layer.Dispose();
            }
            catch (ImageException e)
            {
                (failures ??= []).Add(e);
            }
        }

        if (failures is not null && !_hasFailed)
        {
            throw failures[0];
        }
    }

    /// <summary>What was done to a layer past this disk has failed: what closing says then follows from it, and is not told.</summary>
    public void NoteFailure()
    {
        _hasFailed = true;
        _owner?.NoteFailure();
    }

    private void WriteWholeZeroes(IWritableLayer top, long offset, long length, ZeroMode mode)
    {
        try
        {
            top.WriteZeroes(offset, length, mode);
        }
        catch (ImageException)
        {
            NoteFailure();
            throw;
        }
    }

    private void RaiseRead(in DiskExtent extent)
    {
        for (int above = 0; above < extent.Depth; above++)
        {
            Events![above]?.Raise("read_backing_aio");
        }

        Events![extent.Depth]?.Raise(extent.Extent.Kind == ExtentKind.Compressed ? "read_compressed" : "read_aio");
    }

    private static long RoundUp(long value, long unit) => (value + unit - 1) / unit * unit;

    // Writes from offset to the end of data, or to the end of the last whole unit; a partial first or last unit is read up first.
    private int WriteUnits(IWritableLayer top, long unit, long offset, ReadOnlySpan<byte> data)
    {
        long start = offset / unit * unit;
        long whole = (offset + data.Length) / unit * unit;
        bool endsWithDisk = offset + data.Length == top.VirtualSize;
        if (start == offset && (whole > offset || endsWithDisk))
        {
            int length = endsWithDisk ? data.Length : (int)(whole - offset);
            top.Write(offset, data[..length]);
            return length;
        }

        long end = Math.Min(start + unit, top.VirtualSize);
        byte[] full = new byte[end - start];
        Read(start, full);
        int part = (int)Math.Min(data.Length, end - offset);
        data[..part].CopyTo(full.AsSpan((int)(offset - start)));
        top.WriteFilled(start, full, offset, part);
        return part;
    }
}

/// <summary>An extent and the layer that holds it.</summary>
/// <param name="Extent">What is there.</param>
/// <param name="Depth">The layer's index, 0 for the top.</param>
public readonly record struct DiskExtent(Extent Extent, int Depth);
