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
internal sealed class RawPartFill(IBlockFile file, IPartFile parts, long virtualSize) : IFillTarget
{
    private readonly ConcurrentDictionary<long, byte[]> _open = new();

    public long VirtualSize => virtualSize;

    public int Granularity => 512;

    public long ShardLength { get; } = parts.PartLength;

    public int PreferredRunLength => 256 << 10;

    public bool ShardsIndependent => false;

    public bool UnwrittenIsZero => true;

    public bool ReservesRoom => false;

    public IRoom Room => NoRoom.Instance;

    public void Prepare(FillRun run)
    {
        if (!run.ExplicitZero)
        {
            SparseCutter.Cut(run, Granularity);
        }
    }

    public void Reserve(FillRun run, IRoom room)
    {
    }

    public void Write(FillRun run)
    {
        if (run.ExplicitZero)
        {
            return;
        }

        foreach (FillPiece piece in run.Pieces)
        {
            if (piece.Kind != FillPieceKind.Zero)
            {
                long offset = run.Offset + piece.Start;
                byte[] buffer = _open.GetOrAdd(offset / ShardLength, Rent);
                run.Payload(piece).CopyTo(buffer.AsSpan((int)(offset % ShardLength)));
            }
        }
    }

    public ShardManifest? CloseShard(long shard)
    {
        if (!_open.TryRemove(shard, out byte[]? buffer))
        {
            return null;
        }

        try
        {
            int length = (int)Math.Min(ShardLength, virtualSize - (shard * ShardLength));
            parts.WritePart(shard, buffer.AsMemory(0, length));
            return new ShardManifest(shard, [], [], length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public void Publish(ShardManifest manifest)
    {
    }

    public void Flush()
    {
    }

    public void Finish()
    {
    }

    public void Dispose() => file.Dispose();

    private byte[] Rent(long shard)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)ShardLength);
        buffer.AsSpan().Clear();
        return buffer;
    }
}
