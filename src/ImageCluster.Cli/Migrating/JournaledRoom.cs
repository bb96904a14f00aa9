using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Cli.Migrating;

/// <summary>
/// The room of a target, of which no byte is used before the journal knows that it may be: after a crash the next run starts beyond, so what
/// the lost attempt wrote is never taken for something else. Noted in large steps, since what is noted and not used is a hole.
/// </summary>
/// <param name="inner">The target's own room.</param>
/// <param name="noted">The host offset (bytes) up to which the journal knows already.</param>
/// <param name="step">Bytes to note beyond what is needed.</param>
/// <param name="note">Makes a host offset durable in the journal.</param>
internal sealed class JournaledRoom(IRoom inner, long noted, long step, Action<long> note) : IRoom
{
    private readonly Lock _lock = new();
    private long _noted = noted;

    public long HighWater => inner.HighWater;

    public long Reserve(long length, long alignment)
    {
        long offset = inner.Reserve(length, alignment);
        lock (_lock)
        {
            // The caller writes only after this returns.
            long needed = Math.Max(inner.HighWater, offset + length);
            if (needed > _noted)
            {
                long mark = checked(needed + step);
                note(mark);
                _noted = mark;
            }
        }

        return offset;
    }

    public void SkipTo(long offset) => inner.SkipTo(offset);
}
