using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Testing.Storage;

/// <summary>A file in memory: an open handle on a <see cref="MemoryStore"/>, which outlives it.</summary>
/// <example><c>using var file = new MemoryFile("disk.img", bytes);</c></example>
public sealed class MemoryFile(string name, MemoryStore store, bool canWrite = true) : IBlockFile
{
    private bool _disposed;

    public MemoryFile(string name = "memory.img", ReadOnlySpan<byte> content = default)
        : this(name, new MemoryStore(content))
    {
    }

    public string Name { get; } = name;

    public MemoryStore Store { get; } = store;

    public bool CanWrite { get; } = canWrite;

    public bool CanResize => CanWrite;

    public long Length => Alive().Length;

    public long AllocatedBytes => Alive().AllocatedBytes;

    public int Read(long offset, Span<byte> buffer) => Alive().Read(Checked(offset, buffer.Length), buffer);

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (data.Length > 0)
        {
            Writable().Write(Checked(offset, data.Length), data);
        }
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        if (length > 0)
        {
            Writable().Zero(Checked(offset, length), length, keep: mode == ZeroMode.KeepAllocated);
        }
    }

    public void Discard(long offset, long length)
    {
        if (length > 0)
        {
            Writable().Discard(Checked(offset, length), length);
        }
    }

    public void SetLength(long length) => Writable().SetLength(Checked(length, 0));

    public void Allocate(long offset, long length)
    {
        if (length > 0)
        {
            Writable().Allocate(Checked(offset, length), length);
        }
    }

    public void Flush() => Alive();

    public (long Length, bool IsHole) NextRange(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfZero(length);
        return Alive().NextRange(Checked(offset, length), length);
    }

    public void Dispose() => _disposed = true;

    private static long Checked(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, long.MaxValue - length, nameof(length));
        return offset;
    }

    private MemoryStore Alive()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return Store;
    }

    private MemoryStore Writable() => CanWrite
        ? Alive()
        : throw new ImageException(ImageErrorKind.Io, Name, "The file is open for reading only");
}
