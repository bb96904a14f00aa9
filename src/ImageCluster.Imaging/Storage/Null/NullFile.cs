namespace ImageCluster.Imaging.Storage.Null;

/// <summary>Bytes of zeros that take no room: what is written is gone.</summary>
/// <param name="name">What messages call it.</param>
/// <param name="length">Bytes.</param>
/// <param name="readsZeroes">Promises zeros; where false, nobody may rely on what is read, which is zeros here all the same.</param>
/// <param name="canWrite">Writes are taken.</param>
internal sealed class NullFile(string name, long length, bool readsZeroes, bool canWrite) : IBlockFile, IAllocationStatus
{
    public string Name { get; } = name;

    public long Length { get; } = length;

    public bool CanWrite { get; } = canWrite;

    public bool CanResize => false;

    public long AllocatedBytes => 0;

    public int Read(long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        int inside = (int)Math.Clamp(Length - offset, 0, buffer.Length);
        buffer[..inside].Clear();
        return inside;
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
    }

    public void Discard(long offset, long length)
    {
    }

    public void SetLength(long length)
    {
        if (length > Length)
        {
            throw new ImageException(ImageErrorKind.Unsupported, Name, "Cannot grow device files") { Errno = Native.Errno.Inval };
        }
    }

    public void Allocate(long offset, long length)
    {
    }

    public void Flush()
    {
    }

    public (long Length, bool IsHole) NextRange(long offset, long length) => (length, readsZeroes);

    public AllocationRange NextStatus(long offset, long length) => new(length, IsAllocated: false, IsZero: readsZeroes);

    public void Dispose()
    {
    }
}
