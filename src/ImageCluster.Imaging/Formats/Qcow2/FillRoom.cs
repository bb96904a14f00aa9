using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>The room of a new image's own file: clusters, and bytes of packed compressed clusters, where QEMU would allocate them.</summary>
internal sealed class FillRoom(NewImageSpace space, Layout layout) : IRoom
{
    private readonly Lock _lock = new();

    public long HighWater
    {
        get
        {
            lock (_lock)
            {
                return space.End << layout.ClusterBits;
            }
        }
    }

    public long Reserve(long length, long alignment)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        lock (_lock)
        {
            if (alignment == 1 && length <= layout.ClusterSize)
            {
                return space.AllocateBytes((int)length);
            }

            // Clusters are aligned to their size; for more than that the place is searched in room enough.
            long spare = Math.Max(0, alignment - layout.ClusterSize);
            long first = space.Allocate(RefcountMath.DivideUp(length + spare, layout.ClusterSize)) << layout.ClusterBits;
            return (first + spare) / Math.Max(1, alignment) * Math.Max(1, alignment);
        }
    }

    public void SkipTo(long offset)
    {
        lock (_lock)
        {
            space.SkipTo(RefcountMath.DivideUp(offset, layout.ClusterSize));
        }
    }
}
