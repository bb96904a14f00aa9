using ImageCluster.Work;

namespace ImageCluster.Cluster.Working;

/// <summary>
/// This worker's part in a rate: its tasks take bytes, which are reserved with the scheduler as they are needed, by one task at a time for all. Any
/// thread.
/// </summary>
/// <param name="time">By which reserved bytes are waited for.</param>
internal sealed class ReservedRate(TimeProvider time)
{
    // Fewer requests where bytes are used up quickly.
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(250);

    private const long LargestRequest = 64L << 20;

    private readonly object _gate = new();
    private long _left;
    private long _request = 1;
    private long? _askedAt;
    private bool _isAsking;

    /// <summary>Returns when <paramref name="bytes"/> may be used.</summary>
    /// <param name="bytes">Of the rate.</param>
    /// <param name="reserve">Asks for so many; answers with how many are given, and after what time. Blocks.</param>
    /// <param name="cancel">The task is not wanted any more.</param>
    /// <exception cref="OperationCanceledException">Cancelled while waiting.</exception>
    public void Take(long bytes, Func<long, (long Bytes, TimeSpan Wait)> reserve, CancellationToken cancel)
    {
        // A large piece is taken bit by bit: what is left of it may be more than is ever given at once.
        while (bytes > 0)
        {
            cancel.ThrowIfCancellationRequested();
            long wanted;
            lock (_gate)
            {
                long taken = Math.Min(_left, bytes);
                _left -= taken;
                bytes -= taken;
                if (bytes == 0)
                {
                    return;
                }

                if (_isAsking)
                {
                    Monitor.Wait(_gate, Quick);
                    continue;
                }

                (_isAsking, wanted) = (true, Request(bytes));
            }

            Ask(wanted, reserve, cancel);
        }
    }

    private long Request(long bytes)
    {
        long now = time.GetTimestamp();
        bool isQuick = _askedAt is { } before && time.GetElapsedTime(before, now) < Quick;
        _askedAt = now;
        _request = isQuick ? Math.Min(_request * 2, LargestRequest) : Math.Max(1, _request / 2);
        return Math.Max(bytes, _request);
    }

    private void Ask(long wanted, Func<long, (long Bytes, TimeSpan Wait)> reserve, CancellationToken cancel)
    {
        long given = 0;
        try
        {
            (long bytes, TimeSpan wait) = reserve(wanted);
            if (wait > TimeSpan.Zero)
            {
                RateLimiter.Wait(time, wait, cancel);
            }

            given = bytes;
        }
        finally
        {
            lock (_gate)
            {
                _left += given;
                _isAsking = false;
                Monitor.PulseAll(_gate);
            }
        }
    }
}
