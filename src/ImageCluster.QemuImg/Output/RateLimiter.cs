using System.Diagnostics;

namespace ImageCluster.QemuImg.Output;

/// <summary>Lets so many bytes a second through (<c>-r</c>). Thread-safe.</summary>
/// <param name="bytesPerSecond">1 or more.</param>
internal sealed class RateLimiter(long bytesPerSecond) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _never = new();
    private readonly long _started = Stopwatch.GetTimestamp();
    private double _due;

    /// <summary>Returns when <paramref name="bytes"/> may be moved.</summary>
    public void Take(int bytes)
    {
        double wait;
        lock (_gate)
        {
            double now = Stopwatch.GetElapsedTime(_started).TotalSeconds;
            wait = Math.Max(_due, now) - now;
            _due = Math.Max(_due, now) + ((double)bytes / bytesPerSecond);
        }

        if (wait > 0)
        {
            _never.Wait(TimeSpan.FromSeconds(wait));
        }
    }

    public void Dispose() => _never.Dispose();
}
