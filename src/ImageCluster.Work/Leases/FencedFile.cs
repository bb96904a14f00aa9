using ImageCluster.Imaging.Storage;

namespace ImageCluster.Work.Leases;

/// <summary>
/// A target's file that is written to only while the task's lease holds. A worker that slept past its lease (a stopped process, a node that hung)
/// finds out before its next write. A write that is on its way to storage at that moment cannot be called back; it goes to room of this
/// assignment, which is not given to another before the lease is over for the image's record as well.
/// </summary>
public sealed class FencedFile(IBlockFile inner, WorkLease lease) : IBlockFile
{
    public string Name => inner.Name;

    public long Length => inner.Length;

    public bool CanWrite => inner.CanWrite;

    public bool CanResize => inner.CanResize;

    public bool HasFixedSize => inner.HasFixedSize;

    public long AllocatedBytes => inner.AllocatedBytes;

    public int Read(long offset, Span<byte> buffer) => inner.Read(offset, buffer);

    public (long Length, bool IsHole) NextRange(long offset, long length) => inner.NextRange(offset, length);

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        lease.Require();
        inner.Write(offset, data);
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        lease.Require();
        inner.WriteZeroes(offset, length, mode);
    }

    public void Discard(long offset, long length)
    {
        lease.Require();
        inner.Discard(offset, length);
    }

    public void SetLength(long length)
    {
        lease.Require();
        inner.SetLength(length);
    }

    public void Allocate(long offset, long length)
    {
        lease.Require();
        inner.Allocate(offset, length);
    }

    public void Flush()
    {
        lease.Require();
        inner.Flush();
    }

    public void Dispose() => inner.Dispose();
}
