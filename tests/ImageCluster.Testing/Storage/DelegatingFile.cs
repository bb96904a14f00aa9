using ImageCluster.Imaging.Storage;

namespace ImageCluster.Testing.Storage;

/// <summary>A file in front of another that sees every call before it happens. Owns the inner file.</summary>
public abstract class DelegatingFile(IBlockFile inner) : IBlockFile
{
    public IBlockFile Inner { get; } = inner;

    public string Name => Inner.Name;

    public bool CanWrite => Inner.CanWrite;

    public virtual bool CanResize => Inner.CanResize;

    public long AllocatedBytes => Inner.AllocatedBytes;

    public long Length
    {
        get
        {
            Before(StorageCall.Length, 0, []);
            return Inner.Length;
        }
    }

    public int Read(long offset, Span<byte> buffer)
    {
        Before(StorageCall.Read, offset, []);
        return Inner.Read(offset, buffer);
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        Before(StorageCall.Write, offset, data);
        Inner.Write(offset, data);
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        Before(StorageCall.WriteZeroes, offset, []);
        Inner.WriteZeroes(offset, length, mode);
    }

    public void Discard(long offset, long length)
    {
        Before(StorageCall.Discard, offset, []);
        Inner.Discard(offset, length);
    }

    public virtual void SetLength(long length)
    {
        Before(StorageCall.SetLength, length, []);
        Inner.SetLength(length);
    }

    public void Allocate(long offset, long length)
    {
        Before(StorageCall.Allocate, offset, []);
        Inner.Allocate(offset, length);
    }

    public void Flush()
    {
        Before(StorageCall.Flush, 0, []);
        Inner.Flush();
    }

    public (long Length, bool IsHole) NextRange(long offset, long length)
    {
        Before(StorageCall.NextRange, offset, []);
        return Inner.NextRange(offset, length);
    }

    public void Dispose()
    {
        Inner.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Called before each call reaches the inner file; what it throws, the caller gets instead.</summary>
    protected abstract void Before(StorageCall call, long offset, ReadOnlySpan<byte> data);
}
