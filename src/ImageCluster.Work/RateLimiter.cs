namespace ImageCluster.Work;

/// <summary>
/// Lets bytes through at a rate, whoever asks: each caller is told how long to wait and waits outside the lock. A quarter of a second's bytes
/// may be taken at once after a pause, so that a slow moment is made up for and a long one is not.
/// </summary>
public sealed class RateLimiter(long bytesPerSecond, TimeProvider time)
{
    private const double Burst = 0.25;

    private readonly Lock _lock = new();
    private readonly long _start = time.GetTimestamp();
    private double _freeAt;

    /// <summary>Returns when <paramref name="bytes"/> may be read.</summary>
    /// <exception cref="OperationCanceledException">Cancelled while waiting.</exception>
    public void Take(int bytes, CancellationToken cancel)
    {
        TimeSpan wait = Reserve(bytes);
        if (wait > TimeSpan.Zero)
        {
            Wait(time, wait, cancel);
        }
    }

    /// <summary>Takes <paramref name="bytes"/> and says how long to wait before using them.</summary>
    public TimeSpan Reserve(long bytes)
    {
        lock (_lock)
        {
            double now = time.GetElapsedTime(_start).TotalSeconds;
            _freeAt = Math.Max(_freeAt, now - Burst) + ((double)bytes / bytesPerSecond);
            return _freeAt > now ? TimeSpan.FromSeconds(Math.Min(_freeAt - now, 3600)) : TimeSpan.Zero;
        }
    }

    /// <summary>Returns after some time.</summary>
    /// <exception cref="OperationCanceledException">Cancelled while waiting.</exception>
    public static void Wait(TimeProvider time, TimeSpan wait, CancellationToken cancel)
    {
        using ManualResetEventSlim elapsed = new();
        using ITimer timer = time.CreateTimer(_ => elapsed.Set(), null, wait, Timeout.InfiniteTimeSpan);
        elapsed.Wait(cancel);
    }
}
