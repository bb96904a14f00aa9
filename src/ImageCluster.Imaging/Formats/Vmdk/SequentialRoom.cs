using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Room at the end of a file, handed out in the order in which it is asked for.</summary>
/// <param name="file">For messages.</param>
/// <param name="start">First byte to be handed out.</param>
/// <param name="end">No reservation reaches past this: what entries of 32 bits can address.</param>
internal sealed class SequentialRoom(string file, long start, long end = VmdkLimits.MaxFileBytes) : IRoom
{
    private readonly Lock _gate = new();
    private long _next = start;

    public long HighWater
    {
        get
        {
            lock (_gate)
            {
                return _next;
            }
        }
    }

    public long Reserve(long length, long alignment)
    {
        lock (_gate)
        {
            long offset = VmdkLimits.RoundUp(_next, alignment);
            if (length > end - offset)
            {
                throw TooLarge(file);
            }

            _next = offset + length;
            return offset;
        }
    }

    public void SkipTo(long offset)
    {
        lock (_gate)
        {
            _next = Math.Max(_next, offset);
        }
    }

    public static ImageException TooLarge(string file) =>
        new(ImageErrorKind.Limit, file, "Sparse extent would grow beyond 2 TiB, which its grain tables cannot address")
        {
            Hint = "Use a split or a flat subformat.",
        };
}
