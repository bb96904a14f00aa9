using System.Buffers;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage;

/// <content>The file's room: zeros, holes, length, preallocation.</content>
public partial class LocalFile
{
    private const int ZeroBufferLength = 256 * 1024;

    public virtual void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        CheckRange(offset, length);
        RequireWritable();
        if (length == 0)
        {
            return;
        }

        if (!TryZero(offset, length, mode))
        {
            WriteZeroBytes(offset, length);
        }

        MakeDurable();
    }

    public virtual void Discard(long offset, long length)
    {
        CheckRange(offset, length);
        RequireWritable();
        if (length > 0)
        {
            int errno = FAllocate(LibC.FallocPunchHole | LibC.FallocKeepSize, offset, length);
            ThrowUnlessUnsupported(errno, $"Could not discard {length} bytes at offset {offset}");
        }
    }

    public virtual void SetLength(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        RequireWritable();
        using (_direct?.Exclusive())
        {
            Truncate(length);
        }

        MakeDurable();
    }

    public virtual void Allocate(long offset, long length)
    {
        CheckRange(offset, length);
        RequireWritable();
        if (length == 0)
        {
            return;
        }

        int errno = FAllocate(0, offset, length);
        if (errno != 0)
        {
            ThrowUnlessUnsupported(errno, $"Could not preallocate {length} bytes at offset {offset}");
            FillHoles(offset, length);
        }

        MakeDurable();
    }

    private protected void WriteZeroBytes(long offset, long length)
    {
        byte[] zeros = ArrayPool<byte>.Shared.Rent((int)Math.Min(length, ZeroBufferLength));
        try
        {
            Array.Clear(zeros);
            while (length > 0)
            {
                int part = (int)Math.Min(length, zeros.Length);
                Write(offset, zeros.AsSpan(0, part));
                offset += part;
                length -= part;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(zeros);
        }
    }

    private bool TryZero(long offset, long length, ZeroMode mode)
    {
        string what = $"Could not zero {length} bytes at offset {offset}";
        int errno;
        if (mode == ZeroMode.MayUnmap)
        {
            ExtendTo(offset + length);
            errno = FAllocate(LibC.FallocPunchHole | LibC.FallocKeepSize, offset, length);
            ThrowUnlessUnsupported(errno, what);
            if (errno == 0)
            {
                return true;
            }
        }

        errno = FAllocate(LibC.FallocZeroRange, offset, length);
        ThrowUnlessUnsupported(errno, what);
        if (errno == 0)
        {
            return true;
        }

        // tmpfs has no zero range: a hole, and then the space again.
        errno = FAllocate(LibC.FallocPunchHole | LibC.FallocKeepSize, offset, length);
        ThrowUnlessUnsupported(errno, what);
        if (errno != 0)
        {
            return false;
        }

        errno = FAllocate(0, offset, length);
        ThrowUnlessUnsupported(errno, what);
        return errno == 0;
    }

    /// <summary>
    /// Extends without ever shortening, whatever other threads append meanwhile: a truncation could cut what they wrote, a byte written at the
    /// new end cannot. (Its block is punched out again; where the end lies within a block, that one block stays.)
    /// </summary>
    private void ExtendTo(long end)
    {
        if (Length >= end)
        {
            return;
        }

        if (_direct is null)
        {
            Write(end - 1, [0]);
            return;
        }

        using (_direct.Exclusive())
        {
            if (RandomAccess.GetLength(Handle) < end)
            {
                Truncate(end);
            }
        }
    }

    /// <summary>What posix_fallocate promises, where the file system cannot: data stays, holes and what is beyond the end get zeros.</summary>
    private void FillHoles(long offset, long length)
    {
        for (long end = offset + length; offset < end;)
        {
            long size = Length;
            if (offset >= size)
            {
                WriteZeroBytes(offset, end - offset);
                return;
            }

            (long run, bool isHole) = NextRange(offset, Math.Min(end, size) - offset);
            if (isHole)
            {
                WriteZeroBytes(offset, run);
            }

            offset += run;
        }
    }

    private void Truncate(long length)
    {
        try
        {
            RandomAccess.SetLength(Handle, length);
        }
        catch (Exception e) when (Errno.IsOfSystem(e))
        {
            throw Errno.Exception(e, Name, "Could not resize file");
        }
        catch (ArgumentOutOfRangeException e)
        {
            // How .NET says that the file system has no files of that length.
            throw new ImageException(ImageErrorKind.Io, Name, "Could not resize file: File too large", e) { Errno = Errno.FBig };
        }
    }

    /// <summary>fallocate; not while an unaligned write past the cache puts back the bytes around its own.</summary>
    private int FAllocate(int how, long offset, long length)
    {
        using (_direct?.Shared())
        {
            return HostFile.Allocate(Handle, how, offset, length);
        }
    }
}
