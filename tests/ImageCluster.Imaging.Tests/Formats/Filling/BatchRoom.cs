using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Tests.Formats.Filling;

/// <summary>Room as a coordinator hands it out: pieces of the file for one shard's attempt, from a mark that only rises.</summary>
internal sealed class BatchRoom(Func<long> highWater, Action<long> raise) : IRoom
{
    private const int Batch = 300_000;
    private long _next;
    private long _end;

    public long HighWater => highWater();

    public long Reserve(long length, long alignment)
    {
        long at = (_next + alignment - 1) / alignment * alignment;
        if (at + length > _end)
        {
            // Batches are whole clusters, so that no two attempts share one.
            long cluster = 2 << 20;
            at = (highWater() + cluster - 1) / cluster * cluster;
            _end = at + Math.Max(Batch, length);
            raise(_end);
        }

        _next = at + length;
        return at;
    }

    public void SkipTo(long offset) => throw new NotSupportedException();
}
