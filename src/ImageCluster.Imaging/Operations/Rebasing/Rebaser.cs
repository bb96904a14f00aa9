using System.Buffers;
using System.Runtime.ExceptionServices;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Operations.Rebasing;

/// <summary>
/// The safe rebase: before an overlay's backing file is changed, what the overlay does not hold itself and what the new backing file
/// would show differently is written into the overlay. Only what differs is written. Threads read and compare; writes go in guest order,
/// so the overlay's layout does not depend on their number. Does not own the disks.
/// </summary>
/// <param name="overlay">The overlay over its old backing files, its top open for writing.</param>
/// <param name="newBacking">The new backing file with its own chain; null for none.</param>
/// <param name="options">How to run.</param>
public sealed class Rebaser(LayeredDisk overlay, LayeredDisk? newBacking, RebaseOptions options)
{
    private const int RunLength = 2 << 20;
    private const int SectorSize = 512;

    private readonly Turnstile _turnstile = new();
    private readonly Lock _gate = new();
    private readonly long _oldSize = overlay.Layers.Count > 1 ? overlay.Layers[1].VirtualSize : 0;
    private long _next;
    private long _nextTicket;
    private Exception? _failure;

    /// <summary>Makes the whole overlay independent of the difference. Durable on return.</summary>
    public void Run(CancellationToken cancel)
    {
        Run(0, overlay.VirtualSize, cancel);
        overlay.Flush();
    }

    /// <summary>Does the guest bytes from <paramref name="start"/> (a multiple of the overlay's unit) to the one before <paramref name="end"/>.</summary>
    public void Run(long start, long end, CancellationToken cancel)
    {
        _next = start;
        Thread[] helpers = new Thread[Math.Max(1, options.Threads) - 1];
        for (int i = 0; i < helpers.Length; i++)
        {
            helpers[i] = new Thread(() => Work(end, cancel)) { IsBackground = true, Name = $"rebase-{i + 1}" };
            helpers[i].Start();
        }

        Work(end, cancel);
        foreach (Thread helper in helpers)
        {
            helper.Join();
        }

        if (_failure is not null)
        {
            ExceptionDispatchInfo.Throw(_failure);
        }

        cancel.ThrowIfCancellationRequested();
    }

    private void Work(long end, CancellationToken cancel)
    {
        byte[] old = ArrayPool<byte>.Shared.Rent(RunLength);
        byte[] other = ArrayPool<byte>.Shared.Rent(RunLength);
        try
        {
            while (!cancel.IsCancellationRequested && TryTake(end, out long offset, out int length, out long ticket))
            {
                Span<byte> before = old.AsSpan(0, length);
                Span<byte> after = other.AsSpan(0, length);
                options.Throttle?.Invoke(length);
                Read(offset, before, after);
                bool oldIsBlank = IsBlank(offset, length);
                if (!_turnstile.Pass(ticket, () => WriteStillAbsent(offset, old.AsSpan(0, length), other.AsSpan(0, length), oldIsBlank)))
                {
                    break;
                }
            }
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, e, null);
            _turnstile.Close();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(old);
            ArrayPool<byte>.Shared.Return(other);
        }

        if (cancel.IsCancellationRequested)
        {
            _turnstile.Close();
        }
    }

    // The next range that the overlay does not hold itself and that may differ.
    private bool TryTake(long end, out long offset, out int length, out long ticket)
    {
        lock (_gate)
        {
            while (_next < end && _failure is null)
            {
                offset = _next;
                Extent own = MapTop(offset, end - offset);
                long known = own.Length;
                bool same = own.Kind != ExtentKind.Absent || IsSharedBelow(offset, ref known) || IsBlankInBoth(offset, ref known);
                length = same ? 0 : WholeUnits(offset, known, own.Length);
                _next += same ? known : length;
                options.Progress?.Invoke(same ? known : length);
                if (!same)
                {
                    ticket = _nextTicket++;
                    return true;
                }
            }
        }

        (offset, length, ticket) = (0, 0, 0);
        return false;
    }

    // A write into a part of a unit makes all of it the overlay's own: what is to be compared in the unit is compared at once.
    private int WholeUnits(long offset, long length, long most)
    {
        long unit = overlay.Top.Granularity;
        if (unit > RunLength)
        {
            return (int)Math.Min(length, RunLength);
        }

        long end = Math.Min((offset + length + unit - 1) / unit * unit, (offset + RunLength) / unit * unit);

        // As far as both reach, or to the end: where one of them ends QEMU looks anew, too.
        long reach = Math.Min(Reach(_oldSize, offset), Reach(newBacking?.VirtualSize ?? 0, offset));
        return (int)Math.Min(Math.Min(end, reach) - offset, most);
    }

    private static long Reach(long size, long offset) => size > offset ? size : long.MaxValue;

    private Extent MapTop(long offset, long length)
    {
        try
        {
            return overlay.Top.Map(offset, length);
        }
        catch (ImageException e)
        {
            throw e.At(DiskAccess.Map, offset);
        }
    }

    private void Read(long offset, Span<byte> before, Span<byte> after)
    {
        try
        {
            overlay.ReadFrom(1, offset, before);
        }
        catch (ImageException e)
        {
            throw e.At(DiskAccess.Read, offset);
        }

        try
        {
            ReadNew(offset, after);
        }
        catch (ImageException e)
        {
            throw e.At(DiskAccess.Read, offset, disk: 1);
        }
    }

    // Nothing between the overlay and the new backing file, which is in the old chain, says anything here.
    private bool IsSharedBelow(long offset, ref long length)
    {
        if (options.SharedDepth is not { } depth)
        {
            return false;
        }

        DiskExtent between = overlay.MapFrom(1, offset, length, depth);
        length = between.Extent.Length;

        // A layer that ends before the offset hides what the shared one has there.
        return between.Extent.Kind == ExtentKind.Absent;
    }

    private bool IsBlankInBoth(long offset, ref long length)
    {
        Extent old = overlay.MapFrom(1, offset, length, overlay.Layers.Count).Extent;
        length = old.Length;
        if (old.Kind is not (ExtentKind.Absent or ExtentKind.Zero))
        {
            return false;
        }

        if (newBacking is null || offset >= newBacking.VirtualSize)
        {
            return true;
        }

        Extent other = newBacking.Map(offset, Math.Min(length, newBacking.VirtualSize - offset)).Extent;
        length = other.Length;
        return other.Kind is ExtentKind.Absent or ExtentKind.Zero;
    }

    private bool IsBlank(long offset, int length)
    {
        if (offset >= _oldSize)
        {
            return true;
        }

        Extent old = overlay.MapFrom(1, offset, length, overlay.Layers.Count).Extent;
        return old.Length == length && old.Kind is ExtentKind.Absent or ExtentKind.Zero;
    }

    private void ReadNew(long offset, Span<byte> buffer)
    {
        if (newBacking is null)
        {
            buffer.Clear();
        }
        else
        {
            newBacking.Read(offset, buffer);
        }
    }

    // What was written just before may have filled up a unit that this range begins in.
    private void WriteStillAbsent(long offset, ReadOnlySpan<byte> before, ReadOnlySpan<byte> after, bool oldIsBlank)
    {
        Extent own = MapTop(offset, before.Length);
        int filled = own.Kind == ExtentKind.Absent ? 0 : (int)own.Length;
        WriteDifferences(offset + filled, before[filled..], after[filled..], oldIsBlank);
    }

    // Where there is no backing file yet a layer may leave out zeros; with the new one they must be there.
    private void StateZeroes(long offset, ReadOnlySpan<byte> zeroes)
    {
        overlay.WriteZeroes(offset, zeroes.Length, ZeroMode.MayUnmap);
        while (zeroes.Length > 0)
        {
            Extent own = MapTop(offset, zeroes.Length);
            if (own.Kind == ExtentKind.Absent)
            {
                overlay.Write(offset, zeroes[..(int)own.Length]);
            }

            offset += own.Length;
            zeroes = zeroes[(int)own.Length..];
        }
    }

    private void WriteDifferences(long offset, ReadOnlySpan<byte> before, ReadOnlySpan<byte> after, bool oldIsBlank)
    {
        for (int at = 0; at < before.Length;)
        {
            int same = before[at..].CommonPrefixLength(after[at..]) / SectorSize * SectorSize;
            at += same;
            int length = DifferingLength(before[at..], after[at..]);
            if (length == 0)
            {
                break;
            }

            try
            {
                if (oldIsBlank)
                {
                    StateZeroes(offset + at, before.Slice(at, length));
                }
                else
                {
                    overlay.Write(offset + at, before.Slice(at, length));
                }
            }
            catch (ImageException e)
            {
                throw e.At(DiskAccess.Write, offset + at);
            }

            at += length;
        }
    }

    // Bytes up to the next sector that is equal.
    private static int DifferingLength(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        int at = 0;
        while (at < a.Length)
        {
            int length = Math.Min(SectorSize, a.Length - at);
            if (a.Slice(at, length).SequenceEqual(b.Slice(at, length)))
            {
                break;
            }

            at += length;
        }

        return at;
    }
}
