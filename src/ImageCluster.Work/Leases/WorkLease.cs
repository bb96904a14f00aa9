namespace ImageCluster.Work.Leases;

/// <summary>
/// How long a worker may go on with a task, by its own monotonic clock. Counted from when it asked, less a margin for clocks that do not run
/// alike, so that it always ends before whoever granted it thinks so. Any thread.
/// </summary>
/// <param name="time">A clock that does not stand still while the machine sleeps: <see cref="Native.AwakeOrAsleepTime"/>.</param>
public sealed class WorkLease(TimeProvider time)
{
    // A fiftieth: crystals differ by far less.
    private const int Margin = 50;

    private readonly Lock _lock = new();
    private long _until = long.MinValue;
    private bool _revoked;

    public bool Holds => time.GetTimestamp() < Volatile.Read(ref _until);

    /// <summary>Moves the end on; it never comes nearer, except by <see cref="Revoke"/>, which is final.</summary>
    /// <param name="askedAt">Timestamp of the request.</param>
    /// <param name="remaining">What was granted.</param>
    public void Extend(long askedAt, TimeSpan remaining)
    {
        TimeSpan safe = remaining - remaining / Margin;
        long until = askedAt + (long)(safe.TotalSeconds * time.TimestampFrequency);
        lock (_lock)
        {
            // What was lost once is lost: somebody else may have been given the work in between.
            if (!_revoked && (_until == long.MinValue || (Holds && until > _until)))
            {
                Volatile.Write(ref _until, until);
            }
        }
    }

    /// <summary>Ends it at once and for good.</summary>
    public void Revoke()
    {
        lock (_lock)
        {
            _revoked = true;
            Volatile.Write(ref _until, long.MinValue);
        }
    }

    /// <summary>Returns where the task may go on.</summary>
    /// <exception cref="LeaseLostException">It has run out.</exception>
    public void Require()
    {
        if (!Holds)
        {
            throw new LeaseLostException();
        }
    }
}
