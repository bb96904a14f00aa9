using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2.Merging;

/// <summary>Grants room as an image's record does: to one attempt after the other, never the same twice, in parts that need not follow each other.</summary>
internal sealed class MergeRoomKeeper(MergeRoom room, Random random)
{
    private long _highWater = room.Start;

    /// <summary>The room of one attempt.</summary>
    public IRoom Attempt() => new AttemptRoom(this);

    private long Take(long length, long alignment)
    {
        long gap = random.Next(3) == 0 ? random.Next(4) * room.Alignment : 0;
        long start = (_highWater + gap + alignment - 1) / alignment * alignment;
        _highWater = start + length;
        return start;
    }

    private sealed class AttemptRoom(MergeRoomKeeper keeper) : IRoom
    {
        public long HighWater { get; private set; }

        public long Reserve(long length, long alignment)
        {
            long start = keeper.Take(length, alignment);
            HighWater = start + length;
            return start;
        }

        public void SkipTo(long offset) => throw new NotSupportedException();
    }
}
