using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>A file open for reading as it is when its log has been replayed; the file itself stays as it is.</summary>
internal sealed class VhdxReplayedFile(IBlockFile file, VhdxReplay replay) : IBlockFile
{
    private const int SectorSize = VhdxLog.SectorSize;

    public string Name => file.Name;

    public long Length => Math.Max(file.Length, replay.FileLength);

    public bool CanWrite => false;

    public bool CanResize => false;

    public long AllocatedBytes => file.AllocatedBytes;

    public int Read(long offset, Span<byte> buffer)
    {
        int length = (int)Math.Clamp(Length - offset, 0, buffer.Length);
        buffer = buffer[..length];
        file.ReadPadded(offset, buffer);
        Span<byte> sector = stackalloc byte[SectorSize];
        for (long at = offset; at < offset + length;)
        {
            long number = at / SectorSize;
            int within = (int)(at - number * SectorSize);
            int part = (int)Math.Min(SectorSize - within, offset + length - at);
            if (replay.Changes(number))
            {
                replay.ReadSector(number, sector);
                sector.Slice(within, part).CopyTo(buffer[(int)(at - offset)..]);
            }

            at += part;
        }

        return length;
    }

    public (long Length, bool IsHole) NextRange(long offset, long length) => (length, false);

    public void Write(long offset, ReadOnlySpan<byte> data) => throw ReadOnly();

    public void WriteZeroes(long offset, long length, ZeroMode mode) => throw ReadOnly();

    public void Discard(long offset, long length) => throw ReadOnly();

    public void SetLength(long length) => throw ReadOnly();

    public void Allocate(long offset, long length) => throw ReadOnly();

    public void Flush()
    {
    }

    public void Dispose() => file.Dispose();

    private ImageException ReadOnly() => new(ImageErrorKind.Io, file.Name, "The file is open for reading only");
}
