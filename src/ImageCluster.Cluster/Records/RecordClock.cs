using ImageCluster.Jobs;

namespace ImageCluster.Cluster.Records;

/// <summary>
/// The time that the keeper of a record brings into commands: the time of day when the keeper started, carried on by the monotonic clock.
/// So a lease is never cut short or drawn out by somebody who sets the clock.
/// </summary>
public sealed class RecordClock(TimeProvider time)
{
    private readonly Instant _start = Instant.From(time.GetUtcNow());
    private readonly long _startedAt = time.GetTimestamp();

    public Instant Now => _start + time.GetElapsedTime(_startedAt);
}
