using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cli.Migrating.Converting;

/// <summary>
/// Room in a target out of what the target's record has granted: no byte is used before the journal knows that it may be, so what a lost attempt
/// wrote is never taken for something else.
/// </summary>
/// <param name="ask">Asks the record for room: bytes wanted, and the least that is of use.</param>
/// <param name="clean">Makes granted room that may have been written to before read as zeros.</param>
/// <param name="step">Bytes to ask for at a time.</param>
internal sealed class GrantedRoom(Func<long, long, RoomGrant> ask, Action<RoomGrant> clean, long step) : IRoom
{
    private readonly Lock _lock = new();
    private long _at;
    private long _end;
    private long _highWater;

    public long HighWater
    {
        get
        {
            lock (_lock)
            {
                return _highWater;
            }
        }
    }

    public long Reserve(long length, long alignment)
    {
        lock (_lock)
        {
            long start = RoundUp(_at, alignment);
            while (start + length > _end)
            {
                RoomGrant grant = ask(Math.Max(step, checked(length + alignment)), checked(length + alignment));
                if (grant.Dirty)
                {
                    clean(grant);
                }

                // Grants that follow each other are one room; what is left of one that does not is given up.
                _at = grant.Start == _end ? _at : grant.Start;
                _end = grant.End;
                start = RoundUp(_at, alignment);
            }

            _at = start + length;
            _highWater = Math.Max(_highWater, _at);
            return start;
        }
    }

    public void SkipTo(long offset) => throw new NotSupportedException("Where room lies is the record's to say.");

    private static long RoundUp(long value, long unit) => checked(value + unit - 1) / unit * unit;
}
