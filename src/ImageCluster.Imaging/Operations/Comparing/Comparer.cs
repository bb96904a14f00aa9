using System.Buffers;
using System.Runtime.ExceptionServices;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Operations.Comparing;

/// <summary>
/// Compares what a guest would see of two disks. Several threads take ranges in guest order; the first difference is the one at the
/// lowest offset, whichever thread sees it. Ranges that are zeros in both are not read. Does not own the disks.
/// </summary>
public sealed class Comparer
{
    private const int SectorSize = 512;
    private const int RunLength = 512 << 10;

    private readonly LayeredDisk _first;
    private readonly LayeredDisk _second;
    private readonly CompareOptions _options;
    private readonly long _common;
    private readonly long _end;
    private readonly Lock _gate = new();
    private long _next;
    private long _differenceAt = long.MaxValue;
    private CompareVerdict _verdict;
    private long _failureAt = long.MaxValue;
    private Exception? _failure;

    public Comparer(LayeredDisk first, LayeredDisk second, CompareOptions options)
    {
        _first = first;
        _second = second;
        _options = options;
        _common = Math.Min(first.VirtualSize, second.VirtualSize);
        _end = Math.Max(first.VirtualSize, second.VirtualSize);
    }

    /// <summary>Compares whole disks.</summary>
    public CompareResult Run(CancellationToken cancel)
    {
        bool sizesDiffer = _first.VirtualSize != _second.VirtualSize;
        if (sizesDiffer && _options.Strict)
        {
            return new CompareResult(CompareVerdict.SizeDiffers, 0, true);
        }

        return Run(0, _end, cancel) with { SizesDiffer = sizesDiffer };
    }

    /// <summary>Compares the guest bytes from <paramref name="start"/> to the one before <paramref name="end"/>.</summary>
    public CompareResult Run(long start, long end, CancellationToken cancel)
    {
        _next = start;
        Thread[] helpers = new Thread[Math.Max(1, _options.Threads) - 1];
        for (int i = 0; i < helpers.Length; i++)
        {
            helpers[i] = new Thread(() => Work(end, cancel)) { IsBackground = true, Name = $"compare-{i + 1}" };
            helpers[i].Start();
        }

        Work(end, cancel);
        foreach (Thread helper in helpers)
        {
            helper.Join();
        }

        // A read error behind the first difference changes nothing: one thread alone would not have come to it.
        if (_differenceAt < _failureAt)
        {
            return new CompareResult(_verdict, _differenceAt, false);
        }

        if (_failure is not null)
        {
            ExceptionDispatchInfo.Throw(_failure);
        }

        cancel.ThrowIfCancellationRequested();
        return new CompareResult(CompareVerdict.Identical, 0, false);
    }

    private void Work(long end, CancellationToken cancel)
    {
        byte[] a = ArrayPool<byte>.Shared.Rent(RunLength);
        byte[] b = ArrayPool<byte>.Shared.Rent(RunLength);
        long at = 0;
        try
        {
            while (!cancel.IsCancellationRequested && TryTake(end, out Range run))
            {
                at = run.Offset;
                _options.Throttle?.Invoke((int)run.Length);
                if (run.Offset >= _common)
                {
                    CompareWithZeros(run, _first.VirtualSize > _second.VirtualSize ? _first : _second, a);
                }
                else
                {
                    CompareBytes(run, a, b);
                }
            }
        }
        catch (Exception e)
        {
            Failed(e, at);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(a);
            ArrayPool<byte>.Shared.Return(b);
        }
    }

    // The next range that must be read. Ranges are skipped under the lock: that is metadata work only.
    private bool TryTake(long end, out Range run)
    {
        lock (_gate)
        {
            while (_next < Math.Min(end, _differenceAt) && _failure is null)
            {
                long limit = _next < _common ? Math.Min(_common, end) : end;
                run = Look(_next, limit);
                if (run.Length == 0)
                {
                    break;
                }

                _next += run.Length;
                _options.Progress?.Invoke(run.Length);
                if (!run.BothBlank)
                {
                    return true;
                }
            }
        }

        run = default;
        return false;
    }

    private Range Look(long offset, long limit)
    {
        if (offset >= _common)
        {
            LayeredDisk longer = _first.VirtualSize > _second.VirtualSize ? _first : _second;
            return Clip(offset, Map(longer, offset, limit - offset).Extent);
        }

        DiskExtent a = Map(_first, offset, limit - offset);
        DiskExtent b = Map(_second, offset, Math.Min(limit - offset, a.Extent.Length));
        if (_options.Strict && StatusDiffers(offset))
        {
            Found(CompareVerdict.AllocationDiffers, offset);
            return default;
        }

        bool bothBlank = IsBlank(a.Extent) && IsBlank(b.Extent);
        return Clip(offset, b.Extent with { Kind = bothBlank ? ExtentKind.Zero : ExtentKind.Data });
    }

    private DiskExtent Map(LayeredDisk disk, long offset, long length)
    {
        try
        {
            return disk.Map(offset, length);
        }
        catch (ImageException e)
        {
            throw e.At(DiskAccess.Map, offset, disk == _first ? 0 : 1);
        }
    }

    private void Read(LayeredDisk disk, long offset, Span<byte> buffer)
    {
        try
        {
            disk.Read(offset, buffer);
        }
        catch (ImageException e)
        {
            throw e.At(DiskAccess.Read, offset, disk == _first ? 0 : 1);
        }
    }

    private static Range Clip(long offset, in Extent extent)
    {
        bool blank = IsBlank(extent);
        return new Range(offset, blank ? extent.Length : Math.Min(extent.Length, RunLength), blank);
    }

    private static bool IsBlank(in Extent extent) => extent.Kind is ExtentKind.Absent or ExtentKind.Zero;

    // qemu-img compares what its block layer says of the two: allocation, data, zeros, whether the data stands somewhere as it is, and whether this goes on to the end.
    private bool StatusDiffers(long offset)
    {
        BlockStatus a = BlockStatus.At(_first, offset, _first.VirtualSize - offset);
        BlockStatus b = BlockStatus.At(_second, offset, _second.VirtualSize - offset);
        return (a.Present, a.Zero, a.Data, a.HostOffset >= 0, ReachesEnd(_first, a)) != (b.Present, b.Zero, b.Data, b.HostOffset >= 0, ReachesEnd(_second, b));
    }

    // QEMU's drivers answer for no more than they look up at once: so they see the end only from near by.
    private static bool ReachesEnd(LayeredDisk disk, in BlockStatus status)
    {
        if (status.End != disk.VirtualSize)
        {
            return false;
        }

        for (int depth = 0; depth <= status.Depth; depth++)
        {
            long unit = LookUpLength(disk.Layers[depth]);
            if (status.Start / unit != (status.End - 1) / unit)
            {
                return false;
            }
        }

        return true;
    }

    private static long LookUpLength(IImageLayer layer) => (layer.FormatName, layer is IImageStatus status ? status.ClusterSize : 0) switch
    {
        // A slice of the L2 table that is cached: 4 KiB, or a cluster where that is smaller.
        ("qcow2", > 0 and var cluster) => Math.Min(cluster, 4096) / sizeof(ulong) * cluster,
        ("vmdk" or "vdi" or "qcow", > 0 and var cluster) => cluster,
        _ => long.MaxValue,
    };

    private void CompareBytes(Range run, byte[] a, byte[] b)
    {
        Span<byte> left = a.AsSpan(0, (int)run.Length);
        Span<byte> right = b.AsSpan(0, (int)run.Length);
        Read(_first, run.Offset, left);
        Read(_second, run.Offset, right);
        int same = left.CommonPrefixLength(right);
        if (same < left.Length)
        {
            Found(CompareVerdict.ContentDiffers, run.Offset + (same / SectorSize * SectorSize));
        }
    }

    private void CompareWithZeros(Range run, LayeredDisk longer, byte[] buffer)
    {
        Span<byte> data = buffer.AsSpan(0, (int)run.Length);
        Read(longer, run.Offset, data);
        if (!ZeroScan.IsZero(data))
        {
            int first = data.IndexOfAnyExcept((byte)0);
            Found(CompareVerdict.TailDiffers, run.Offset + (first / SectorSize * SectorSize));
        }
    }

    private void Found(CompareVerdict verdict, long offset)
    {
        lock (_gate)
        {
            if (offset < _differenceAt)
            {
                (_verdict, _differenceAt) = (verdict, offset);
            }
        }
    }

    private void Failed(Exception failure, long offset)
    {
        lock (_gate)
        {
            if (offset < _failureAt)
            {
                (_failure, _failureAt) = (failure, offset);
            }
        }
    }

    private readonly record struct Range(long Offset, long Length, bool BothBlank);
}
