using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Work.Converting;

/// <summary>A target whose shards count for nothing before all of it is filled.</summary>
internal sealed class WholeTarget(IFillTarget inner) : IFillTarget
{
    public long VirtualSize => inner.VirtualSize;

    public int Granularity => inner.Granularity;

    public long ShardLength => inner.ShardLength;

    public int PreferredRunLength => inner.PreferredRunLength;

    public bool ShardsIndependent => false;

    public bool UnwrittenIsZero => inner.UnwrittenIsZero;

    public bool ReservesRoom => inner.ReservesRoom;

    public IRoom Room => inner.Room;

    public void Prepare(FillRun run) => inner.Prepare(run);

    public void Reserve(FillRun run, IRoom room) => inner.Reserve(run, room);

    public void Write(FillRun run) => inner.Write(run);

    public ShardManifest? CloseShard(long shard) => inner.CloseShard(shard);

    public void Publish(ShardManifest manifest) => inner.Publish(manifest);

    public void Flush() => inner.Flush();

    public void Finish() => inner.Finish();

    public void Dispose() => inner.Dispose();
}
