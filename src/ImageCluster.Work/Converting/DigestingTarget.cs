using System.Collections.Concurrent;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations;

namespace ImageCluster.Work.Converting;

/// <summary>
/// A target whose guest digest is taken from the bytes on their way in. Runs are made whole leaves of the digest, so each thread hashes its own
/// run; the target itself still cuts out zeros at its own granularity.
/// </summary>
public sealed class DigestingTarget : IFillTarget
{
    private readonly IFillTarget _inner;
    private readonly ConcurrentDictionary<long, GuestDigestShard> _shards = new();

    /// <param name="inner">Takes the runs; a shard of it must be whole leaves (<see cref="CanWrap"/>).</param>
    public DigestingTarget(IFillTarget inner)
    {
        if (!CanWrap(inner))
        {
            throw new ArgumentException("Shards are not whole leaves of the digest.", nameof(inner));
        }

        _inner = inner;
    }

    public static bool CanWrap(IFillTarget target) => target.ShardLength % GuestDigest.LeafLength == 0 || target.ShardLength >= target.VirtualSize;

    public long VirtualSize => _inner.VirtualSize;

    public int Granularity => Math.Max(_inner.Granularity, GuestDigest.LeafLength);

    public long ShardLength => _inner.ShardLength;

    public int PreferredRunLength => Granularity;

    public bool ShardsIndependent => _inner.ShardsIndependent;

    public bool UnwrittenIsZero => _inner.UnwrittenIsZero;

    public bool ReservesRoom => _inner.ReservesRoom;

    public IRoom Room => _inner.Room;

    /// <summary>The hashes of a shard all of whose runs are prepared, or which has none; they are forgotten.</summary>
    public IReadOnlyList<GuestDigestPart> TakeDigest(long shard)
    {
        _shards.TryRemove(shard, out GuestDigestShard? digest);
        return (digest ?? New(shard)).Close();
    }

    public void Prepare(FillRun run)
    {
        if (!run.ExplicitZero)
        {
            GuestDigestShard digest = _shards.GetOrAdd(run.Offset / ShardLength, New);
            for (int at = 0; at < run.Length; at += GuestDigest.LeafLength)
            {
                digest.SetLeaf(run.Offset + at, Leaf(run.Data.Slice(at, Math.Min(GuestDigest.LeafLength, run.Length - at))));
            }
        }

        _inner.Prepare(run);
    }

    public void Reserve(FillRun run, IRoom room) => _inner.Reserve(run, room);

    public void Write(FillRun run) => _inner.Write(run);

    public ShardManifest? CloseShard(long shard) => _inner.CloseShard(shard);

    public void Publish(ShardManifest manifest) => _inner.Publish(manifest);

    public void Flush() => _inner.Flush();

    public void Finish() => _inner.Finish();

    public void Dispose() => _inner.Dispose();

    private static GuestHash Leaf(ReadOnlySpan<byte> data)
    {
        if (data.Length == GuestDigest.LeafLength)
        {
            return GuestHash.Of(data);
        }

        using GuestLeafHasher hasher = new();
        hasher.Append(data);
        return hasher.Finish();
    }

    private GuestDigestShard New(long shard)
    {
        long start = shard * ShardLength;
        return new GuestDigestShard(start, Math.Min(ShardLength, VirtualSize - start), VirtualSize);
    }
}
