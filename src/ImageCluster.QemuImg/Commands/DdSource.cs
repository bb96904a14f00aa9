using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Operations.Converting;

namespace ImageCluster.QemuImg.Commands;

/// <summary>The part of a disk that <c>dd</c> copies, block by block.</summary>
/// <param name="disk">The whole.</param>
/// <param name="start">Where the part starts, in bytes.</param>
/// <param name="length">How long it is; it must lie in the disk.</param>
/// <param name="blockSize">Bytes of a block.</param>
internal sealed class DdSource(LayeredDisk disk, long start, long length, long blockSize) : IConvertSource
{
    // At least what is read at once.
    private const long LongestRun = 16 << 20;

    private readonly DiskSource _whole = new(disk);

    // Nothing is copied from here on.
    private long _end = long.MaxValue;

    public long VirtualSize => length;

    public SourceRange Map(long offset, long length) => offset < _end
        ? _whole.Map(start + offset, Math.Min(length, _end - offset))
        : new SourceRange(length, SourceKind.Same);

    public void Read(long offset, Span<byte> buffer)
    {
        int inside = (int)Math.Clamp(_end - offset, 0, buffer.Length);
        _whole.Read(start + offset, buffer[..inside]);
        buffer[inside..].Clear();
    }

    /// <summary>The blocks before the first that cannot be read.</summary>
    /// <param name="offset">Where reading failed, or somewhat before.</param>
    public DdSource Before(long offset)
    {
        long end = offset / blockSize * blockSize;
        byte[] block = new byte[Math.Min(blockSize, length)];
        try
        {
            // What fails only once is taken to be where it was seen.
            for (long at = end; at < length && at - offset < LongestRun; at += blockSize)
            {
                Read(at, block.AsSpan(0, (int)Math.Min(blockSize, length - at)));
                end = at + blockSize;
            }

            end = offset / blockSize * blockSize;
        }
        catch (ImageException)
        {
            // The block that begins where the last good one ends.
        }

        return new DdSource(disk, start, length, blockSize) { _end = Math.Min(length, end) };
    }
}
