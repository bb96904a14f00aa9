using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cli.Migrating.Converting;

/// <summary>
/// Collects shards that are done and has them stored together: often enough that a crash loses little, and never more than a tenth of the time
/// spent on it. Members may be called from any thread.
/// </summary>
/// <param name="store">Makes what the shards wrote durable and puts them into the journal.</param>
/// <param name="time">The clock.</param>
internal sealed class Checkpoint(Action<IReadOnlyList<ShardResult>> store, TimeProvider time)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly List<ShardResult> _waiting = [];
    private long _lastEnded = time.GetTimestamp();
    private TimeSpan _pause = Shortest;

    public void Add(ShardResult result)
    {
        lock (_lock)
        {
            _waiting.Add(result);
            if (time.GetElapsedTime(_lastEnded) >= _pause)
            {
                StoreWaiting();
            }
        }
    }

    /// <summary>Stores what is left.</summary>
    public void Flush()
    {
        lock (_lock)
        {
            StoreWaiting();
        }
    }

    private void StoreWaiting()
    {
        if (_waiting.Count == 0)
        {
            return;
        }

        long started = time.GetTimestamp();
        ShardResult[] results = [.. _waiting];
        store(results);
        _waiting.Clear();
        _lastEnded = time.GetTimestamp();
        TimeSpan pause = 9 * time.GetElapsedTime(started, _lastEnded);
        _pause = pause < Shortest ? Shortest : pause > Longest ? Longest : pause;
    }
}
