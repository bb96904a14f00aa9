using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>Room in a new file that one process fills: one reservation after the other, from <paramref name="start"/> on.</summary>
internal sealed class FileRoom(long start) : IRoom
{
    private readonly Lock _lock = new();
    private long _next = start;

    public long HighWater
    {
        get
        {
            lock (_lock)
            {
                return _next;
            }
        }
    }

    public long Reserve(long length, long alignment)
    {
        lock (_lock)
        {
            long offset = checked((_next + alignment - 1) / alignment * alignment);
            _next = checked(offset + length);
            return offset;
        }
    }

    public void SkipTo(long offset)
    {
        lock (_lock)
        {
            _next = Math.Max(_next, offset);
        }
    }
}
