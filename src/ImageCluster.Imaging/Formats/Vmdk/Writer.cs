using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>A VMware disk opened for writing in place. Its content id changes with the first write, so that children know.</summary>
internal sealed class Writer : Reader, IWritableLayer, ICompressedWriter
{
    private const long MaxGrainBytes = 16 << 20;

    private readonly IWritableExtent[] _writers;
    private readonly Lock _gate = new();
    private volatile bool _contentIdChanged;

    public Writer(OpenedDisk disk)
        : base(disk)
    {
        _writers = [.. disk.Extents.Select(extent => WriterOf(disk, extent))];
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            (IWritableExtent writer, long part) = Locate(offset, data.Length);
            writer.Write(offset, data[..(int)part]);
            offset += part;
            data = data[(int)part..];
        }
    }

    public void WriteFilled(long offset, ReadOnlySpan<byte> data, long written, long length)
    {
        if (_writers[FindExtent(offset)] is StreamWriter stream && length < data.Length)
        {
            throw stream.RefusalOfPart(offset);
        }

        Write(offset, data);
    }

    /// <inheritdoc/>
    /// <remarks>Streams store nothing but compressed grains, other subformats none.</remarks>
    public void WriteCompressed(long offset, ReadOnlySpan<byte> data) => Write(offset, data);

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        for (long end = offset + length; offset < end;)
        {
            (IWritableExtent writer, long part) = Locate(offset, end - offset);
            writer.WriteZeroes(offset, part, mode);
            offset += part;
        }
    }

    public void Discard(long offset, long length)
    {
        for (long end = offset + length; offset < end;)
        {
            (IWritableExtent writer, long part) = Locate(offset, end - offset);
            writer.Discard(offset, part);
            offset += part;
        }
    }

    public void Flush()
    {
        foreach (IWritableExtent writer in _writers)
        {
            writer.Flush();
        }
    }

    public override void Dispose()
    {
        try
        {
            if (_contentIdChanged)
            {
                Flush();
            }
        }
        finally
        {
            base.Dispose();
        }
    }

    private static IWritableExtent WriterOf(OpenedDisk disk, VmdkExtent extent)
    {
        bool hasBacking = disk.Descriptor.ParentFileNameHint is not null;
        string file = extent.File?.Name ?? disk.Context.FileName;
        if (extent.ReadOnly)
        {
            throw Refused("Extent is read-only (RDONLY)");
        }

        if (extent is IWritableExtent itself)
        {
            return itself;
        }

        SparseExtent sparse = (SparseExtent)extent;
        if (sparse.Header is null)
        {
            throw Refused($"No write support for {sparse.KindName} images available");
        }

        if (sparse.IsStream)
        {
            throw Refused("A streamOptimized image whose grain directory is at its end must be read only");
        }

        if (sparse.Grains is { HasMarkers: false })
        {
            throw Refused("Compressed grains without markers must be read only");
        }

        // A part of a grain is written by filling up the whole of it.
        if (sparse.GrainBytes > MaxGrainBytes)
        {
            throw Refused($"An image with grains of {sparse.GrainBytes:#,0} bytes must be read only");
        }

        // The caller fills grains up from the backing file by the disk's own raster.
        if (hasBacking && (sparse.Start % sparse.GrainBytes != 0 || (sparse.GrainBytes & (sparse.GrainBytes - 1)) != 0))
        {
            throw Refused("An image with a backing file whose grains do not lie at multiples of their size must be read only");
        }

        return sparse.Compressed ? new StreamWriter(sparse, disk.Codec!, hasBacking) : new SparseWriter(sparse, hasBacking);

        ImageException Refused(string message) => new(ImageErrorKind.Unsupported, file, message);
    }

    private (IWritableExtent Writer, long Length) Locate(long offset, long length)
    {
        ChangeContentId();
        int index = FindExtent(offset);
        return (_writers[index], Math.Min(length, Extents[index].End - offset));
    }

    // Before anything is changed: a crash in between costs a child its parent's trust, not its data.
    private void ChangeContentId()
    {
        if (_contentIdChanged)
        {
            return;
        }

        lock (_gate)
        {
            if (!_contentIdChanged)
            {
                uint contentId = Descriptor.NewContentId();
                Disk.Place.WriteContentId(contentId);
                Disk.Place.File.Flush();
                ContentId = contentId;
                _contentIdChanged = true;
            }
        }
    }
}
