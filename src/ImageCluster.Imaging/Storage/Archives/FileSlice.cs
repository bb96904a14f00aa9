namespace ImageCluster.Imaging.Storage.Archives;

/// <summary>A part of a file as a file of its own, for reading. Owns the file.</summary>
internal sealed class FileSlice(string name, IBlockFile file, long start, long length) : IBlockFile
{
    public string Name { get; } = name;

    public long Length { get; } = length;

    public bool CanWrite => false;

    public bool CanResize => false;

    public long AllocatedBytes => Length;

    public int Read(long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        int inside = (int)Math.Clamp(Length - offset, 0, buffer.Length);
        return inside == 0 ? 0 : file.Read(start + offset, buffer[..inside]);
    }

    public void Write(long offset, ReadOnlySpan<byte> data) => throw ReadOnly();

    public void WriteZeroes(long offset, long length, ZeroMode mode) => throw ReadOnly();

    public void Discard(long offset, long length) => throw ReadOnly();

    public void SetLength(long length) => throw ReadOnly();

    public void Allocate(long offset, long length) => throw ReadOnly();

    public void Flush()
    {
    }

    public (long Length, bool IsHole) NextRange(long offset, long length) => file.NextRange(start + offset, length);

    public void Dispose() => file.Dispose();

    private ImageException ReadOnly() => new(ImageErrorKind.Io, Name, "The file is open for reading only") { Errno = Native.Errno.Access };
}
