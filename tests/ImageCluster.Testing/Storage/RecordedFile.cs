using ImageCluster.Imaging.Storage;

namespace ImageCluster.Testing.Storage;

/// <summary>A file of <see cref="CrashLocator"/>: it has its bytes in memory and tells the locator of every change.</summary>
internal sealed class RecordedFile(CrashLocator owner, string canonical, IBlockFile inner, CacheMode cache) : IBlockFile
{
    public string Name => inner.Name;

    public long Length => inner.Length;

    public bool CanWrite => inner.CanWrite;

    public bool CanResize => inner.CanResize;

    public long AllocatedBytes => inner.AllocatedBytes;

    public int Read(long offset, Span<byte> buffer) => inner.Read(offset, buffer);

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        byte[] copy = data.ToArray();
        Change(new FileChange(FileChangeKind.Write, canonical, offset, copy.Length, copy), () => inner.Write(offset, copy));
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        FileChangeKind kind = mode == ZeroMode.KeepAllocated ? FileChangeKind.ZeroKept : FileChangeKind.Zero;
        Change(new FileChange(kind, canonical, offset, length), () => inner.WriteZeroes(offset, length, mode));
    }

    public void Discard(long offset, long length) =>
        Change(new FileChange(FileChangeKind.Discard, canonical, offset, length), () => inner.Discard(offset, length));

    public void SetLength(long length) => Change(new FileChange(FileChangeKind.SetLength, canonical, length), () => inner.SetLength(length));

    public void Allocate(long offset, long length) =>
        Change(new FileChange(FileChangeKind.Allocate, canonical, offset, length), () => inner.Allocate(offset, length));

    public void Flush()
    {
        if (cache != CacheMode.Unsafe)
        {
            owner.Record(new FileChange(FileChangeKind.Flush, canonical), inner.Flush);
        }
    }

    public (long Length, bool IsHole) NextRange(long offset, long length) => inner.NextRange(offset, length);

    public void Dispose() => inner.Dispose();

    private void Change(FileChange change, Action make)
    {
        owner.Record(change, make);
        if (cache is CacheMode.Writethrough or CacheMode.DirectSync)
        {
            Flush();
        }
    }
}
