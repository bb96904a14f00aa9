using System.Buffers;
using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// Adds compressed grains to a stream-optimized disk whose directory stands before its grains, as qemu-img makes it: each grain can be
/// written once.
/// </summary>
internal sealed class StreamWriter : IWritableExtent
{
    private readonly SparseExtent _extent;
    private readonly Allocator _allocator;
    private readonly IClusterCodec _codec;
    private readonly bool _hasBacking;
    private readonly bool _zeroedGrains;
    private readonly int _grain;

    public StreamWriter(SparseExtent extent, IClusterCodec codec, bool hasBacking)
    {
        _extent = extent;
        _codec = codec;
        _allocator = new Allocator(extent);
        _hasBacking = hasBacking;
        _zeroedGrains = extent.Header!.Flags.HasFlag(SparseFlags.ZeroedGrains);
        _grain = (int)extent.GrainBytes;
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            int length = Math.Min(_grain, data.Length);
            WriteGrain(offset, data[..length]);
            offset += length;
            data = data[length..];
        }
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        byte[]? zeros = null;
        for (long end = offset + length; offset < end;)
        {
            Extent found = _extent.Map(offset, end - offset);
            long part = found.Length;
            if (found.Kind == ExtentKind.Compressed)
            {
                throw Allocated();
            }

            if (found.Kind == ExtentKind.Absent && _hasBacking)
            {
                part = Math.Min(part, _grain);
                if (_zeroedGrains)
                {
                    _allocator.Unmap(GrainOf(offset, part), 1, GrainTable.Zero);
                }
                else
                {
                    zeros ??= new byte[_grain];
                    WriteGrain(offset, zeros.AsSpan(0, (int)part));
                }
            }

            offset += part;
        }
    }

    /// <summary>What becomes of a write of a part of a grain: it is refused, for the rest could not be written any more.</summary>
    public ImageException RefusalOfPart(long offset) => _extent.Map(offset, 1).Kind == ExtentKind.Compressed
        ? Allocated()
        : new ImageException(ImageErrorKind.Unsupported, _extent.File!.Name, "A grain of a streamOptimized image can only be written whole") { Errno = Errno.Inval };

    /// <summary>Grains are written once: nothing is dropped.</summary>
    public void Discard(long offset, long length)
    {
    }

    public void Flush() => _allocator.WriteBack();

    private void WriteGrain(long offset, ReadOnlySpan<byte> data)
    {
        long grain = GrainOf(offset, data.Length);
        if (_extent.Map(offset, 1).Kind == ExtentKind.Compressed)
        {
            throw Allocated();
        }

        byte[] whole = ArrayPool<byte>.Shared.Rent(_grain);
        byte[] record = ArrayPool<byte>.Shared.Rent(CompressedGrains.MaxRecordOf(_grain));
        try
        {
            data.CopyTo(whole);
            whole.AsSpan(data.Length, _grain - data.Length).Clear();
            int length = CompressedGrains.WriteRecord(_codec, whole.AsSpan(0, _grain), offset / VmdkLimits.SectorSize, record);
            long host = _allocator.Reserve(length, VmdkLimits.SectorSize);
            _extent.File!.Write(host, record.AsSpan(0, length));
            _allocator.Map(grain, 1, host);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(record);
            ArrayPool<byte>.Shared.Return(whole);
        }
    }

    private long GrainOf(long offset, long length)
    {
        long inside = offset - _extent.Start;
        return inside % _grain == 0 && (length == _grain || offset + length == _extent.End)
            ? inside / _grain
            : throw new ArgumentException("A compressed grain is written whole.");
    }

    private ImageException Allocated() =>
        new(ImageErrorKind.Unsupported, _extent.File!.Name, "Could not write to allocated cluster for streamOptimized") { Errno = Errno.IO };
}
