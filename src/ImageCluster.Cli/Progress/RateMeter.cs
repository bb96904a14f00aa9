namespace ImageCluster.Cli.Progress;

/// <summary>The rate of the last seconds out of a count that only grows. Not thread-safe.</summary>
internal sealed class RateMeter
{
    private const double WindowSeconds = 8;

    private readonly Queue<(double At, long Count)> _samples = new();

    /// <summary>Adds a sample and returns the rate a second over the window, 0 where there is none yet.</summary>
    public double Add(double at, long count)
    {
        _samples.Enqueue((at, count));
        while (_samples.Count > 2 && at - _samples.Peek().At > WindowSeconds)
        {
            _samples.Dequeue();
        }

        (double firstAt, long firstCount) = _samples.Peek();
        return at - firstAt < 0.05 ? 0 : Math.Max(0, count - firstCount) / (at - firstAt);
    }
}
