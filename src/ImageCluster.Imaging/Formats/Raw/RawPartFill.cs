using System.Buffers;
using System.Collections.Concurrent;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Raw;

/// <summary>
/// Fills a raw image that is taken in parts: a part is a shard, put together in memory and handed over when it is whole. In memory are as many
/// parts as threads work at.
/// </summary>
/// <param name="file">Owned.</param>
/// <param name="parts">The same file as it takes parts.</param>
/// <param name="virtualSize">Bytes.</param>
internal sealed class RawPartFill(IBlockFile file, IPartFile parts, long virtualSize) : PlacedFill(virtualSize)
{
    private readonly ConcurrentDictionary<long, byte[]> _open = new();

    public override long ShardLength { get; } = parts.PartLength;

    public override bool ShardsIndependent => false;

    public override bool UnwrittenIsZero => true;

    public override ShardManifest? CloseShard(long shard)
    {
        if (!_open.TryRemove(shard, out byte[]? buffer))
        {
            return null;
        }

        try
        {
            int length = (int)Math.Min(ShardLength, VirtualSize - (shard * ShardLength));
            parts.WritePart(shard, buffer.AsMemory(0, length));
            return new ShardManifest(shard, [], [], length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public override void Flush()
    {
    }

    public override void Finish()
    {
    }

    public override void Dispose() => file.Dispose();

    protected override void Write(long offset, ReadOnlySpan<byte> data)
    {
        byte[] buffer = _open.GetOrAdd(offset / ShardLength, Rent);
        data.CopyTo(buffer.AsSpan((int)(offset % ShardLength)));
    }

    // A part begins as zeros, and one that is never begun reads as zeros.
    protected override void WriteZeroes(long offset, long length)
    {
    }

    private byte[] Rent(long shard)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)ShardLength);
        buffer.AsSpan().Clear();
        return buffer;
    }
}
