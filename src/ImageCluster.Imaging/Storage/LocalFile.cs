using ImageCluster.Imaging.Storage.Direct;
using ImageCluster.Imaging.Storage.Native;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Storage;

/// <summary>
/// A regular file of this machine (and of what is mounted on it), read and written by position on one shared handle. Holes are the file
/// system's: <c>SEEK_DATA</c>, <c>SEEK_HOLE</c> and <c>fallocate</c>, with plain reads and writes where it has none.
/// Opened by <see cref="LocalFileLocator"/>.
/// </summary>
public partial class LocalFile : IBlockFile, IRangeCopy
{
    /// <summary>Bytes that are sent to storage at once (<see cref="OpenMode.SendsEarly"/>).</summary>
    private const long SentAtOnce = 32 << 20;

    private readonly DirectIo? _direct;
    private readonly CacheMode _cache;
    private readonly bool _sendsEarly;
    private volatile ImageException? _flushFailure;
    private long _unsent;
    private bool _locked;

    internal LocalFile(string name, SafeFileHandle handle, OpenMode mode, DirectIo? direct)
    {
        Name = name;
        Handle = handle;
        CanWrite = mode.Write;
        _cache = mode.Cache;
        _direct = direct;
        _sendsEarly = mode.SendsEarly && mode.Cache == CacheMode.Writeback;
    }

    public string Name { get; }

    public bool CanWrite { get; }

    public virtual bool CanResize => CanWrite;

    public virtual bool HasFixedSize => false;

    public virtual long Length
    {
        get
        {
            try
            {
                using (_direct?.Shared())
                {
                    return RandomAccess.GetLength(Handle);
                }
            }
            catch (IOException e)
            {
                throw Errno.Exception(e, Name, "Could not get the length");
            }
        }
    }

    public virtual long AllocatedBytes => HostFile.Status(Handle, out FileStatus status) == 0 ? status.AllocatedBytes : Length;

    private protected SafeFileHandle Handle { get; }

    public virtual int Read(long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (_direct is not null)
        {
            return _direct.Read(offset, buffer);
        }

        try
        {
            int done = 0;
            while (done < buffer.Length)
            {
                int read = RandomAccess.Read(Handle, buffer[done..], offset + done);
                if (read == 0)
                {
                    break;
                }

                done += read;
            }

            return done;
        }
        catch (Exception e) when (Errno.IsOfSystem(e))
        {
            throw Errno.Exception(e, Name, $"Could not read {buffer.Length} bytes at offset {offset}");
        }
    }

    public virtual void Write(long offset, ReadOnlySpan<byte> data)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        RequireWritable();
        if (data.IsEmpty)
        {
            return;
        }

        if (_direct is not null)
        {
            _direct.Write(offset, data);
            return;
        }

        try
        {
            RandomAccess.Write(Handle, data, offset);
        }
        catch (Exception e) when (Errno.IsOfSystem(e))
        {
            throw Errno.Exception(e, Name, $"Could not write {data.Length} bytes at offset {offset}");
        }

        if (_sendsEarly && Interlocked.Add(ref _unsent, data.Length) >= SentAtOnce)
        {
            Interlocked.Exchange(ref _unsent, 0);
            HostFile.StartWriting(Handle);
        }
    }

    public void Flush()
    {
        if (_cache == CacheMode.Unsafe || !CanWrite)
        {
            return;
        }

        if (_flushFailure is not null)
        {
            // The kernel reports a failed write-back once and then forgets the pages: a later success would prove nothing.
            throw new ImageException(_flushFailure.Kind, Name, _flushFailure.Message, _flushFailure) { Errno = _flushFailure.Errno };
        }

        try
        {
            int errno = HostFile.DataSync(Handle);
            if (errno != 0)
            {
                throw Errno.Exception(errno, Name, "Could not flush to storage");
            }
        }
        catch (Exception e) when (e is ImageException or IOException)
        {
            ImageException failure = e as ImageException ?? Errno.Exception(e, Name, "Could not flush to storage");
            _flushFailure = failure;
            throw failure;
        }
    }

    public virtual (long Length, bool IsHole) NextRange(long offset, long length)
    {
        CheckRange(offset, length);
        ArgumentOutOfRangeException.ThrowIfZero(length);
        long data = HostFile.Seek(Handle, offset, hole: false, out int errno);
        if (data < 0)
        {
            // ENXIO: no data from here to the end. Anything else: the file system cannot tell.
            return (length, errno == Errno.NxIo);
        }

        if (data > offset)
        {
            return (Math.Min(length, data - offset), true);
        }

        // Below the offset: the file system contradicts itself (a file that is being cut); then it is data.
        long hole = data < offset ? -1 : HostFile.Seek(Handle, offset, hole: true, out _);
        return (hole > offset ? Math.Min(length, hole - offset) : length, false);
    }

    /// <inheritdoc/>
    public virtual bool TryCopyFrom(IBlockFile source, long sourceOffset, long offset, long length)
    {
        CheckRange(sourceOffset, length);
        CheckRange(offset, length);
        RequireWritable();
        if (source is not LocalFile from || from is LocalBlockDevice)
        {
            return false;
        }

        using DirectIo.Scope? scope = _direct?.Shared();
        for (long done = 0; done < length;)
        {
            long copied = HostFile.CopyRange(from.Handle, sourceOffset + done, Handle, offset + done, length - done, out int errno);
            if (errno is Errno.NoSpc or Errno.DQuot or Errno.IO)
            {
                throw Errno.Exception(errno, Name, $"Could not copy {length} bytes to offset {offset}");
            }

            if (copied <= 0 && errno != Errno.Intr)
            {
                return false;
            }

            done += Math.Max(0, copied);
        }

        MakeDurable();
        return true;
    }

    public void Dispose()
    {
        if (_locked && !Handle.IsClosed)
        {
            ImageLocks.Release(Handle);
        }

        Handle.Dispose();
        _direct?.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc cref="ImageLocks.Take"/>
    internal void Lock(string path, OpenMode mode, bool create = false) => _locked = ImageLocks.Take(Handle, path, mode, create);

    /// <inheritdoc cref="ImageLocks.TakeAlone"/>
    internal void LockAlone()
    {
        if (_locked)
        {
            ImageLocks.TakeAlone(Handle, Name);
        }
    }

    private protected static void CheckRange(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, long.MaxValue - length, nameof(length));
    }

    private protected void RequireWritable()
    {
        if (!CanWrite)
        {
            throw new ImageException(ImageErrorKind.Io, Name, "The file is open for reading only") { Errno = Errno.Access };
        }
    }

    private protected void ThrowUnlessUnsupported(int errno, string what)
    {
        if (errno != 0 && !Errno.MeansUnsupported(errno))
        {
            throw Errno.Exception(errno, Name, what);
        }
    }

    /// <summary>Writes with O_DSYNC are durable by themselves; what changes lengths and extents is not.</summary>
    private protected void MakeDurable()
    {
        if (HostFile.IsDurable(_cache))
        {
            Flush();
        }
    }
}
