using ImageCluster.Work;

namespace ImageCluster.Cluster.Scheduling;

/// <summary>
/// Rates that workers share, by name. Nobody has a fixed part of one: each worker reserves the bytes that it is about to use, a little at a time and one
/// request after the other, and they are served in turn. So a worker whose images are slow takes what it needs, and the others have all the rest. Nothing of
/// this must be remembered: a reservation that was lost costs a fraction of a second, and a book that begins anew gives no more away than a quarter of
/// a second's bytes.
/// </summary>
public sealed class RateBook(TimeProvider time)
{
    /// <summary>A rate of which nobody asked anything for so long is forgotten.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromMinutes(1);

    // All who ask together reserve so much of a second at a time.
    private const double TurnSeconds = 0.25;

    // Who asked within this time counts as one of those who share a rate.
    private static readonly TimeSpan TurnMemory = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, Entry> _rates = new(StringComparer.Ordinal);

    /// <summary>Rates that are known.</summary>
    public int Count => _rates.Count;

    /// <summary>Reserves bytes for a worker; says how many and from when it may use them.</summary>
    /// <param name="rate">The rate's name.</param>
    /// <param name="bytesPerSecond">1 or more.</param>
    /// <param name="worker">Who asks.</param>
    /// <param name="wanted">1 or more.</param>
    public (long Bytes, TimeSpan Wait) Reserve(string rate, long bytesPerSecond, string worker, long wanted)
    {
        if (!_rates.TryGetValue(rate, out Entry? entry) || entry.BytesPerSecond != bytesPerSecond)
        {
            _rates[rate] = entry = new Entry(bytesPerSecond, new RateLimiter(bytesPerSecond, time));
        }

        long now = entry.LastAsked = time.GetTimestamp();
        entry.Askers[worker] = now;
        foreach (string gone in entry.Askers.Where(asker => time.GetElapsedTime(asker.Value, now) > TurnMemory).Select(asker => asker.Key).ToList())
        {
            entry.Askers.Remove(gone);
        }

        long turn = Math.Max(1, (long)(bytesPerSecond * TurnSeconds / entry.Askers.Count));
        long bytes = Math.Clamp(wanted, 1, turn);
        return (bytes, entry.Limiter.Reserve(bytes));
    }

    /// <summary>Forgets rates that nobody uses any more.</summary>
    public void Forget()
    {
        foreach ((string rate, Entry entry) in _rates.ToList())
        {
            if (time.GetElapsedTime(entry.LastAsked) > KeptFor)
            {
                _rates.Remove(rate);
            }
        }
    }

    private sealed record Entry(long BytesPerSecond, RateLimiter Limiter)
    {
        public Dictionary<string, long> Askers { get; } = new(StringComparer.Ordinal);

        public long LastAsked { get; set; }
    }
}
