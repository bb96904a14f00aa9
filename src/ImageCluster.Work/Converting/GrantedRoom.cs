using System.Collections.Immutable;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Work.Converting;

/// <summary>
/// Room in a target out of what the target's record has granted to one assignment: no byte is used before the journal knows that it may be, so
/// what a lost attempt wrote is never taken for something else.
/// </summary>
/// <param name="ask">Asks for room: the request's number, bytes wanted, and the least that is of use.</param>
/// <param name="clean">Makes granted room that may have been written to before read as zeros.</param>
/// <param name="step">Bytes to ask for at a time, 1 or more.</param>
public sealed class GrantedRoom(Func<int, long, long, RoomGrant> ask, Action<RoomGrant> clean, long step) : IRoom
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, long> _cleanFrom = [];
    private int _requests;
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

    /// <summary>For each request: the host offset from which nothing was written.</summary>
    public ImmutableSortedDictionary<int, long> CleanFrom
    {
        get
        {
            lock (_lock)
            {
                return _cleanFrom.ToImmutableSortedDictionary();
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
                Take(checked(length + alignment));
                start = RoundUp(_at, alignment);
            }

            _at = start + length;
            _cleanFrom[_requests - 1] = _at;
            _highWater = Math.Max(_highWater, _at);
            return start;
        }
    }

    public void SkipTo(long offset) => throw new NotSupportedException("Where room lies is the record's to say.");

    private void Take(long atLeast)
    {
        RoomGrant grant = ask(_requests, Math.Max(step, atLeast), atLeast);
        if (grant.Dirty)
        {
            clean(grant);
        }

        // Grants that follow each other are one room; what is left of one that does not is given up, and goes back when the assignment ends.
        if (_requests > 0 && grant.Start == _end)
        {
            _cleanFrom[_requests - 1] = _end;
        }
        else
        {
            _at = grant.Start;
        }

        _end = grant.End;
        _cleanFrom[_requests++] = grant.Start;
    }

    private static long RoundUp(long value, long unit) => checked(value + unit - 1) / unit * unit;
}
