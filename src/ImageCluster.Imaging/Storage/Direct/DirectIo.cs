using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Storage.Native;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Storage.Direct;

/// <summary>
/// Reading and writing a handle opened with O_DIRECT, which takes aligned offsets, lengths and addresses only: what is not aligned goes
/// through aligned buffers, and a write's partial first and last block are read up first. Such a write excludes all other writes while it
/// lasts, since it puts back bytes that are not its own. A file that does not end on a block is written past its end and cut again.
/// </summary>
internal sealed class DirectIo : IDisposable
{
    private const int BufferLength = 1024 * 1024;

    // Enough for the page and for every sector size there is.
    private const int BufferAlignment = 4096;

    private readonly string _name;
    private readonly SafeFileHandle _handle;
    private readonly int _alignment;
    private readonly int _memoryAlignment;
    private readonly ReaderWriterLockSlim _gate = new();
    private readonly ConcurrentBag<AlignedBuffer> _buffers = [];

    /// <param name="alignment">Of offsets and lengths: bytes, a power of two.</param>
    /// <param name="memoryAlignment">Of addresses, likewise.</param>
    public DirectIo(string name, SafeFileHandle handle, int alignment, int memoryAlignment)
    {
        _name = name;
        _handle = handle;
        _alignment = alignment;
        _memoryAlignment = memoryAlignment;
    }

    public int Alignment => _alignment;

    /// <summary>Held while something is done that a half-finished unaligned write must not be seen by.</summary>
    public Scope Shared() => new(_gate, exclusive: false);

    public Scope Exclusive() => new(_gate, exclusive: true);

    public int Read(long offset, Span<byte> buffer)
    {
        if (IsAligned(offset) && IsAligned(buffer.Length) && TryReadInPlace(offset, buffer, out int read))
        {
            return read;
        }

        AlignedBuffer bounce = Rent();
        try
        {
            int done = 0;
            while (done < buffer.Length)
            {
                long start = Down(offset + done);
                int skip = (int)(offset + done - start);
                int want = (int)Math.Min(Up(skip + (long)buffer.Length - done), BufferLength);
                int got = ReadBlocks(start, bounce.Span[..want]);
                int part = Math.Clamp(got - skip, 0, buffer.Length - done);
                bounce.Span.Slice(skip, part).CopyTo(buffer[done..]);
                done += part;
                if (got < want)
                {
                    break;
                }
            }

            return done;
        }
        finally
        {
            _buffers.Add(bounce);
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        bool aligned = IsAligned(offset) && IsAligned(data.Length);
        using Scope scope = aligned ? Shared() : Exclusive();
        if (aligned && TryWriteInPlace(offset, data))
        {
            return;
        }

        AlignedBuffer bounce = Rent();
        try
        {
            long oldLength = aligned ? 0 : FileLength();
            long end = offset + data.Length;
            for (long at = offset; at < end;)
            {
                long start = Down(at);
                long stop = Math.Min(start + BufferLength, Up(end));
                Span<byte> blocks = bounce.Span[..(int)(stop - start)];
                if (at > start)
                {
                    ReadEdge(start, blocks[.._alignment]);
                }

                if (stop > end && (stop - start > _alignment || at == start))
                {
                    ReadEdge(stop - _alignment, blocks[^_alignment..]);
                }

                int part = (int)(Math.Min(stop, end) - at);
                data.Slice((int)(at - offset), part).CopyTo(blocks[(int)(at - start)..]);
                WriteBlocks(start, blocks);
                at += part;
            }

            long newLength = Math.Max(oldLength, end);
            if (!aligned && Up(end) > newLength)
            {
                RandomAccess.SetLength(_handle, newLength);
            }
        }
        catch (Exception e) when (Errno.IsOfSystem(e))
        {
            throw WriteFailure(e, offset, data.Length);
        }
        finally
        {
            _buffers.Add(bounce);
        }
    }

    public void Dispose()
    {
        while (_buffers.TryTake(out AlignedBuffer? buffer))
        {
            buffer.Dispose();
        }

        _gate.Dispose();
    }

    private bool IsAligned(long value) => (value & (_alignment - 1)) == 0;

    private long Down(long value) => value & ~(long)(_alignment - 1);

    private long Up(long value) => checked(value + _alignment - 1) & ~(long)(_alignment - 1);

    private AlignedBuffer Rent() => _buffers.TryTake(out AlignedBuffer? buffer) ? buffer : new AlignedBuffer(BufferLength, BufferAlignment);

    /// <summary>The length that the file has, or the end of its last block where the file's own end does not matter (devices).</summary>
    private long FileLength()
    {
        int errno = HostFile.Status(_handle, out FileStatus status);
        if (errno != 0)
        {
            throw Errno.Exception(errno, _name, "Could not get the length");
        }

        return status.Type == FileType.Regular ? status.Length : long.MaxValue;
    }

    private unsafe bool TryReadInPlace(long offset, Span<byte> buffer, out int read)
    {
        // Pinned before it is looked at: an array may be moved until then.
        fixed (byte* address = buffer)
        {
            bool fits = ((nuint)address & (nuint)(_memoryAlignment - 1)) == 0;
            read = fits ? ReadBlocks(offset, buffer) : 0;
            return fits;
        }
    }

    private unsafe bool TryWriteInPlace(long offset, ReadOnlySpan<byte> data)
    {
        fixed (byte* address = data)
        {
            bool fits = ((nuint)address & (nuint)(_memoryAlignment - 1)) == 0;
            if (fits)
            {
                WriteBlocks(offset, data);
            }

            return fits;
        }
    }

    private void ReadEdge(long start, Span<byte> block)
    {
        int read = ReadBlocks(start, block);
        block[read..].Clear();
    }

    private int ReadBlocks(long offset, Span<byte> blocks)
    {
        try
        {
            int done = 0;
            while (done < blocks.Length)
            {
                int read = RandomAccess.Read(_handle, blocks[done..], offset + done);
                done += read;
                if (read == 0 || !IsAligned(read))
                {
                    // The file's end; it need not be at a block's.
                    break;
                }
            }

            return done;
        }
        catch (Exception e) when (Errno.IsOfSystem(e))
        {
            throw Errno.Exception(e, _name, $"Could not read {blocks.Length} bytes at offset {offset}");
        }
    }

    private void WriteBlocks(long offset, ReadOnlySpan<byte> blocks)
    {
        try
        {
            RandomAccess.Write(_handle, blocks, offset);
        }
        catch (Exception e) when (Errno.IsOfSystem(e))
        {
            throw WriteFailure(e, offset, blocks.Length);
        }
    }

    private ImageException WriteFailure(Exception thrown, long offset, long length) =>
        Errno.Exception(thrown, _name, $"Could not write {length} bytes at offset {offset}");

    /// <summary>The gate, held until disposed.</summary>
    public readonly struct Scope : IDisposable
    {
        private readonly ReaderWriterLockSlim _gate;
        private readonly bool _exclusive;

        public Scope(ReaderWriterLockSlim gate, bool exclusive)
        {
            _gate = gate;
            _exclusive = exclusive;
            if (exclusive)
            {
                gate.EnterWriteLock();
            }
            else
            {
                gate.EnterReadLock();
            }
        }

        public void Dispose()
        {
            if (_exclusive)
            {
                _gate.ExitWriteLock();
            }
            else
            {
                _gate.ExitReadLock();
            }
        }
    }

    private sealed unsafe class AlignedBuffer : IDisposable
    {
        private readonly int _length;
        private void* _address;

        public AlignedBuffer(int length, int alignment)
        {
            _length = length;
            _address = NativeMemory.AlignedAlloc((nuint)length, (nuint)alignment);
        }

        ~AlignedBuffer() => Free();

        public Span<byte> Span => new(_address, _length);

        public void Dispose()
        {
            Free();
            GC.SuppressFinalize(this);
        }

        private void Free()
        {
            NativeMemory.AlignedFree(_address);
            _address = null;
        }
    }
}
