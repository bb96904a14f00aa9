using System.Buffers;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>
/// An export of an NBD server as a file of fixed size. Reads that a broken connection took with it are asked again on a new one; a broken
/// connection ends a file that was written to, because what the server had not flushed may be lost.
/// </summary>
public sealed class NbdFile : IBlockFile, IAllocationStatus, IFastZero
{
    private const int ReadAheadLength = 256 << 10;
    private const int ZeroBufferLength = 256 << 10;
    private const uint MaxTrim = 1u << 30;

    private readonly NbdSession _session;
    private readonly NbdRequests _requests;
    private readonly CacheMode _cache;
    private readonly NbdExtentCache? _extents;
    private readonly ReadAhead? _readAhead;
    private readonly Lock _unaligned = new();
    private volatile ImageException? _flushFailure;

    internal NbdFile(string name, NbdSession session, NbdSettings settings, OpenMode mode)
    {
        Name = name;
        _session = session;
        _requests = new NbdRequests(name, session, settings);
        _cache = mode.Cache;
        CanWrite = mode.Write;
        _extents = Export.AllocationContext is null ? null : new NbdExtentCache(_requests.AskForStatus, Export);
        if (!mode.Write)
        {
            _readAhead = new ReadAhead(_requests.StartRead, NextData, Length, Math.Max(Export.MinimumBlock, Math.Min(ReadAheadLength, _requests.Part)), settings.Depth);
        }
    }

    public string Name { get; }

    public bool CanWrite { get; }

    /// <summary>False: an export keeps its size.</summary>
    public bool CanResize => false;

    public bool HasFixedSize => true;

    public long Length => Export.Size;

    /// <summary>The export's size: a server does not tell what it occupies.</summary>
    public long AllocatedBytes => Export.Size;

    private NbdExport Export => _session.Export;

    private bool IsDurable => _cache is CacheMode.Writethrough or CacheMode.DirectSync;

    public int Read(long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        int length = (int)Math.Clamp(Length - offset, 0, buffer.Length);
        buffer = buffer[..length];
        if (length == 0)
        {
            return 0;
        }

        if (_readAhead is null)
        {
            ReadNow(offset, buffer);
            return length;
        }

        int done = _readAhead.Read(offset, buffer);
        try
        {
            if (done < length)
            {
                ReadNow(offset + done, buffer[done..]);
            }
        }
        finally
        {
            _readAhead.Ended();
        }

        return length;
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        RequireWritable(offset, data.Length);
        if (data.IsEmpty)
        {
            return;
        }

        (long start, long end) = WholeBlocks(offset, data.Length);
        if (start >= end)
        {
            WriteWithin(offset, data);
        }
        else
        {
            WriteWithin(offset, data[..(int)(start - offset)]);
            WriteBlocks(start, data[(int)(start - offset)..(int)(end - offset)]);
            WriteWithin(end, data[(int)(end - offset)..]);
        }

        FlushAfterWrite();
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        // What extends a file is told as what it is.
        Allocate(offset, length);
        if (length == 0)
        {
            return;
        }

        (long start, long end) = WholeBlocks(offset, length);
        if (!Export.Has(NbdExportFlags.SendWriteZeroes) || start >= end)
        {
            WriteZeroBytes(offset, length);
            return;
        }

        WriteZeroBytes(offset, start - offset);
        NbdCommandFlags flags = mode == ZeroMode.KeepAllocated ? NbdCommandFlags.NoHole : NbdCommandFlags.None;
        NbdRequest? refused = SendRange(NbdCommand.WriteZeroes, flags | WriteFlags, start, end - start, (uint)Export.MaximumPayload);
        if (refused is not null)
        {
            if (!CannotDo(refused))
            {
                throw NbdErrors.Refused(refused, Name);
            }

            WriteZeroBytes(start, end - start);
        }

        WriteZeroBytes(end, offset + length - end);
        FlushAfterWrite();
    }

    /// <inheritdoc/>
    public bool TryZeroFast(long offset, long length)
    {
        RequireWritable(offset, length);
        (long start, long end) = WholeBlocks(offset, length);
        if (!Export.Has(NbdExportFlags.SendFastZero) || !Export.Has(NbdExportFlags.SendWriteZeroes) || start != offset || end != offset + length)
        {
            return false;
        }

        // Part by part until the first is taken: a server that cannot says so before it has changed anything.
        NbdRequest? refused = SendRange(NbdCommand.WriteZeroes, NbdCommandFlags.FastZero | WriteFlags, offset, length, (uint)Export.MaximumPayload);
        if (refused is null)
        {
            FlushAfterWrite();
            return true;
        }

        return refused.Error == NbdErrors.NotSupported ? false : throw NbdErrors.Refused(refused, Name);
    }

    public void Discard(long offset, long length)
    {
        RequireWritable(offset, length);
        (long start, long end) = WholeBlocks(offset, length);
        if (start < end && Export.Has(NbdExportFlags.SendTrim))
        {
            NbdRequest? refused = SendRange(NbdCommand.Trim, WriteFlags, start, end - start, MaxTrim);
            if (refused is not null && !CannotDo(refused))
            {
                throw NbdErrors.Refused(refused, Name);
            }
        }
    }

    /// <summary>An export keeps its length: a smaller one is taken without effect (as with devices), a larger one refused.</summary>
    public void SetLength(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length > Length)
        {
            throw new ImageException(ImageErrorKind.NoSpace, Name, "Cannot grow NBD nodes") { Errno = Errno.Inval };
        }
    }

    /// <summary>An export has its space; only that the range lies in it is checked.</summary>
    public void Allocate(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        SetLength(length > long.MaxValue - offset ? long.MaxValue : offset + length);
        RequireWritable(offset, length);
    }

    public void Flush()
    {
        if (_cache == CacheMode.Unsafe || !CanWrite || !Export.Has(NbdExportFlags.SendFlush))
        {
            return;
        }

        if (_flushFailure is not null)
        {
            throw new ImageException(_flushFailure.Kind, Name, _flushFailure.Message, _flushFailure) { Errno = _flushFailure.Errno };
        }

        try
        {
            _requests.Flush();
        }
        catch (ImageException e)
        {
            _flushFailure = e;
            throw;
        }
    }

    public (long Length, bool IsHole) NextRange(long offset, long length)
    {
        AllocationRange range = NextStatus(offset, length);
        return (range.Length, range is { IsZero: true, IsAllocated: false });
    }

    /// <inheritdoc/>
    public AllocationRange NextStatus(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        if (_extents is null || offset >= Length)
        {
            return new AllocationRange(length, IsAllocated: true, IsZero: false);
        }

        NbdExtent extent = _extents.Find(offset, Math.Min(length, Length - offset));
        return new AllocationRange(extent.Length, (extent.State & NbdAllocation.Hole) == 0, (extent.State & NbdAllocation.Zero) != 0);
    }

    public void Dispose() => _session.Dispose();

    // Servers that offer a command and then cannot do it; nbdkit's oldstyle is one.
    private static bool CannotDo(NbdRequest refused) => refused.Error is NbdErrors.NotSupported or Errno.Inval;

    private NbdCommandFlags WriteFlags =>
        IsDurable && Export.Has(NbdExportFlags.SendFua) ? NbdCommandFlags.ForceUnitAccess : NbdCommandFlags.None;

    private void RequireWritable(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (!CanWrite)
        {
            throw new ImageException(ImageErrorKind.Io, Name, "The file is open for reading only") { Errno = Errno.Perm };
        }

        if (offset > Length || length > Length - offset)
        {
            throw new ImageException(ImageErrorKind.NoSpace, Name, $"Offset {offset} with {length} bytes lies beyond the export's end at {Length}")
            {
                Errno = Errno.NoSpc,
            };
        }
    }

    private (long Start, long End) WholeBlocks(long offset, long length)
    {
        long mask = Export.MinimumBlock - 1;
        return ((offset + mask) & ~mask, (offset + length) & ~mask);
    }

    // Reads by buffers of our own: the receiver may not write into a span that its owner could take back.
    private void ReadNow(long offset, Span<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            long mask = Export.MinimumBlock - 1;
            long start = offset & ~mask;
            int room = _requests.Room;
            long end = Math.Min(start + room, (offset + buffer.Length + mask) & ~mask);
            byte[] blocks = ArrayPool<byte>.Shared.Rent((int)(end - start));
            try
            {
                _requests.Read(start, blocks.AsMemory(0, (int)(end - start)));
                int part = (int)Math.Min(buffer.Length, end - offset);
                blocks.AsSpan((int)(offset - start), part).CopyTo(buffer);
                offset += part;
                buffer = buffer[part..];
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(blocks);
            }
        }
    }

    private void WriteBlocks(long offset, ReadOnlySpan<byte> data)
    {
        try
        {
            _requests.Write(offset, data, WriteFlags);
        }
        finally
        {
            _extents?.Clear();
        }
    }

    private NbdRequest? SendRange(NbdCommand command, NbdCommandFlags flags, long offset, long length, uint most)
    {
        try
        {
            return _requests.SendRange(command, flags, offset, length, most);
        }
        finally
        {
            _extents?.Clear();
        }
    }

    // A write that covers no whole block: the rest of the block is read first, and nobody else does the same with it meanwhile.
    private void WriteWithin(long offset, ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
        {
            return;
        }

        long mask = Export.MinimumBlock - 1;
        long start = offset & ~mask;
        long end = (offset + data.Length + mask) & ~mask;
        byte[] blocks = new byte[end - start];
        lock (_unaligned)
        {
            ReadNow(start, blocks);
            data.CopyTo(blocks.AsSpan((int)(offset - start)));
            WriteBlocks(start, blocks);
        }
    }

    private void WriteZeroBytes(long offset, long length)
    {
        if (length == 0)
        {
            return;
        }

        byte[] zeros = new byte[Math.Min(length, ZeroBufferLength)];
        while (length > 0)
        {
            int part = (int)Math.Min(length, zeros.Length);
            Write(offset, zeros.AsSpan(0, part));
            offset += part;
            length -= part;
        }
    }

    private void FlushAfterWrite()
    {
        if (IsDurable && !Export.Has(NbdExportFlags.SendFua))
        {
            Flush();
        }
    }

    // The offset itself where nothing is known of a hole there.
    private long NextData(long offset)
    {
        while (offset < Length && _extents?.Known(offset, Length - offset) is { } extent && (extent.State & NbdAllocation.Zero) != 0)
        {
            offset += extent.Length;
        }

        return offset;
    }
}
