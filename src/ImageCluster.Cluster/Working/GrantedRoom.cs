using System.Collections.Immutable;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Working;

/// <summary>
/// Room in a target out of what the target's actor has granted to one assignment. No byte is used before the journal knows that it may be.
/// </summary>
/// <param name="ask">Asks for room: the request's number, bytes wanted, and the least that is of use.</param>
/// <param name="clean">Makes granted room that may have been written to before read as zeros.</param>
/// <param name="step">Bytes to ask for at a time, 1 or more.</param>
public sealed class GrantedRoom(Func<int, long, long, RoomGrant> ask, Action<RoomGrant> clean, long step) : IRoom
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, long> _cleanFrom = [];
    private RoomGrant? _grant;
    private int _requests;
    private long _at;
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
            while (_grant is null || start + length > _grant.End)
            {
                // Each request stands alone: what is left of the last goes back when the assignment ends.
                long least = checked(length + alignment);
                _grant = ask(_requests, Math.Max(step, least), least);
                if (_grant.Dirty)
                {
                    clean(_grant);
                }

                _cleanFrom[_requests++] = _grant.Start;
                _at = _grant.Start;
                start = RoundUp(_at, alignment);
            }

            _at = start + length;
            _cleanFrom[_requests - 1] = _at;
            _highWater = Math.Max(_highWater, _at);
            return start;
        }
    }

    public void SkipTo(long offset) => throw new NotSupportedException("Where room lies is for the image's record to say.");

    private static long RoundUp(long value, long unit) => checked(value + unit - 1) / unit * unit;
}
