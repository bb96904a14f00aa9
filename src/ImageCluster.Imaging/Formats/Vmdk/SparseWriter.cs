using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Writes a hosted sparse extent in place: into grains that are there, into new ones at the end of the file.</summary>
internal sealed class SparseWriter : IWritableExtent
{
    private readonly SparseExtent _extent;
    private readonly IBlockFile _file;
    private readonly Allocator _allocator;
    private readonly bool _hasBacking;
    private readonly bool _zeroedGrains;
    private readonly long _grain;

    /// <param name="extent">Open for writing, not compressed.</param>
    /// <param name="hasBacking">What is absent is not zero.</param>
    public SparseWriter(SparseExtent extent, bool hasBacking)
    {
        _extent = extent;
        _file = extent.File!;
        _allocator = new Allocator(extent);
        _hasBacking = hasBacking;
        _zeroedGrains = extent.Header!.Flags.HasFlag(SparseFlags.ZeroedGrains);
        _grain = extent.GrainBytes;
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            Extent found = _extent.Map(offset, data.Length);
            int length = (int)found.Length;
            if (found.Kind == ExtentKind.Data)
            {
                _file.Write(Checked(found.HostOffset, length), data[..length]);
            }
            else
            {
                length = WriteNew(found, data[..length]);
            }

            offset += length;
            data = data[length..];
        }
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        for (long end = offset + length; offset < end;)
        {
            Extent found = _extent.Map(offset, end - offset);
            offset += found.Kind switch
            {
                ExtentKind.Zero => found.Length,
                ExtentKind.Absent when !_hasBacking => found.Length,
                ExtentKind.Absent => ZeroNew(found),
                _ => ZeroData(found, mode),
            };
        }
    }

    public void Discard(long offset, long length)
    {
        for (long end = offset + length; offset < end;)
        {
            Extent found = _extent.Map(offset, end - offset);
            if (found.Kind != ExtentKind.Absent)
            {
                (long grain, int count) = WholeGrains(found);
                if (count > 0)
                {
                    _allocator.Unmap(grain, count, GrainTable.Absent);
                }
            }

            offset = found.End;
        }
    }

    public void Flush() => _allocator.WriteBack();

    // Whole grains at once; a part of one is filled up with zeros, which is what is there unless there is a backing file.
    private int WriteNew(in Extent found, ReadOnlySpan<byte> data)
    {
        (long grain, int count) = WholeGrains(WithinTable(found));
        if (count == 0)
        {
            return WritePart(found, data);
        }

        long room = count * _grain;
        int length = (int)Math.Min(room, data.Length);
        long host = _allocator.Reserve(room, _grain);
        _file.Write(host, data[..length]);
        if (length < room)
        {
            _file.WriteZeroes(host + length, room - length, ZeroMode.MayUnmap);
        }

        _allocator.Map(grain, count, host);
        return length;
    }

    private int WritePart(in Extent found, ReadOnlySpan<byte> data)
    {
        if (_hasBacking && found.Kind == ExtentKind.Absent)
        {
            throw new ArgumentException("A part of an absent grain cannot be written without what lies below.");
        }

        long inside = found.Start - _extent.Start;
        long into = inside % _grain;
        int length = (int)Math.Min(data.Length, _grain - into);
        long host = _allocator.Reserve(_grain, _grain);

        // Room at the end of the file reads as zeros once the file reaches so far.
        _file.WriteZeroes(host, _grain, ZeroMode.MayUnmap);
        _file.Write(host + into, data[..length]);
        _allocator.Map(inside / _grain, 1, host);
        return length;
    }

    private long ZeroNew(in Extent found)
    {
        Extent part = WithinTable(found);
        (long grain, int count) = WholeGrains(part);
        if (count == 0)
        {
            throw new ArgumentException("A part of an absent grain cannot be written without what lies below.");
        }

        if (_zeroedGrains)
        {
            _allocator.Unmap(grain, count, GrainTable.Zero);
        }
        else
        {
            long host = _allocator.Reserve(count * _grain, _grain);
            _file.WriteZeroes(host, count * _grain, ZeroMode.MayUnmap);
            _allocator.Map(grain, count, host);
        }

        return Math.Min(part.Length, count * _grain);
    }

    private long ZeroData(in Extent found, ZeroMode mode)
    {
        (long grain, int count) = WholeGrains(found);
        if (_zeroedGrains && mode == ZeroMode.MayUnmap && count > 0)
        {
            _allocator.Unmap(grain, count, GrainTable.Zero);
            return Math.Min(found.Length, count * _grain);
        }

        // A part of a grain, or one that stays allocated.
        long length = mode == ZeroMode.MayUnmap && _zeroedGrains ? Math.Min(found.Length, _grain - ((found.Start - _extent.Start) % _grain)) : found.Length;
        _file.WriteZeroes(Checked(found.HostOffset, length), length, mode);
        return length;
    }

    private Extent WithinTable(in Extent found)
    {
        long span = _extent.Directory.EntriesPerTable * _grain;
        long left = span - ((found.Start - _extent.Start) % span);
        return found.Length > left ? found with { Length = left } : found;
    }

    // The whole grains with which a range starts; the extent's last grain is whole where the extent ends. None where it starts within a grain.
    private (long Grain, int Count) WholeGrains(in Extent range)
    {
        long inside = range.Start - _extent.Start;
        long count = range.End == _extent.End ? VmdkLimits.DivideUp(range.Length, _grain) : range.Length / _grain;
        return inside % _grain == 0 ? (inside / _grain, (int)count) : (0, 0);
    }

    // An entry that points into the metadata would let a guest rewrite it.
    private long Checked(long host, long length)
    {
        if (host < _allocator.MetadataEnd)
        {
            throw new ImageException(ImageErrorKind.Corrupt, _file.Name, $"Grain at offset {host:#,0} overlaps the metadata, which ends at {_allocator.MetadataEnd:#,0}");
        }

        long end = VmdkLimits.RoundUp(_file.Length, VmdkLimits.SectorSize);
        return host + length <= end
            ? host
            : throw new ImageException(ImageErrorKind.Truncated, _file.Name, $"Image is truncated: grain at offset {host:#,0} reaches past the end at {end:#,0}");
    }
}
