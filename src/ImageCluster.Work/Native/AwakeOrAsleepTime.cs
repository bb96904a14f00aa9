namespace ImageCluster.Work.Native;

/// <summary>
/// A monotonic clock that goes on while the machine sleeps (CLOCK_BOOTTIME of Linux, clock_gettime(2)), where .NET's own stands still: what holds for half a minute
/// must not be found to hold still by a machine that wakes after an hour. A virtual machine that is paused by its host has no clock that says so, but its time
/// of day is set when it goes on, by its host's agent or by NTP: by as much as that jumps ahead this clock does too, from then on. So a time of day that is set ahead
/// for another reason has leases end early, which costs a second attempt; set back, it changes nothing. Timers are the system's. Any thread.
/// </summary>
public sealed class AwakeOrAsleepTime : TimeProvider
{
    private const long NanosecondsInSecond = 1_000_000_000;
    private const long NanosecondsInTick = 100;

    /// <summary>Jumps of less are none: the two clocks are not read at one moment.</summary>
    private const long Jump = NanosecondsInSecond / 2;

    /// <summary>Readings that are further apart say nothing.</summary>
    private const long Apart = Jump / 4;

    private readonly Func<long> _boot;
    private readonly Func<long> _day;
    private readonly Lock _lock = new();
    private long _ahead;
    private long _jumped;

    /// <param name="boot">Nanoseconds of the clock that goes on while the machine sleeps.</param>
    /// <param name="day">Nanoseconds of the time of day.</param>
    internal AwakeOrAsleepTime(Func<long> boot, Func<long> day)
    {
        (_boot, _day) = (boot, day);
        long? ahead = null;
        for (int i = 0; ahead is null && i < 1000; i++)
        {
            ahead = Ahead(out _);
        }

        _ahead = ahead ?? day() - boot();
    }

    /// <summary>That clock; the system's own where there is none.</summary>
    public static TimeProvider Instance { get; } =
        IsThere ? new AwakeOrAsleepTime(BootTime, () => System.GetUtcNow().UtcTicks * NanosecondsInTick) : System;

    public override long TimestampFrequency => NanosecondsInSecond;

    private static bool IsThere => OperatingSystem.IsLinux() && LibC.ClockGetTime(LibC.ClockBootTime, out _) == 0;

    public override long GetTimestamp()
    {
        lock (_lock)
        {
            if (Ahead(out long now) is { } ahead && Math.Abs(ahead - _ahead) > Jump)
            {
                _jumped += Math.Max(ahead - _ahead, 0);
                _ahead = ahead;
            }

            return now + _jumped;
        }
    }

    /// <summary>How far the time of day is ahead; null where something else ran between the two readings.</summary>
    private long? Ahead(out long now)
    {
        long before = _boot();
        long day = _day();
        now = _boot();
        return now - before <= Apart ? day - now : null;
    }

    private static long BootTime() => LibC.ClockGetTime(LibC.ClockBootTime, out LibC.TimeSpec time) == 0
        ? checked(time.Seconds * NanosecondsInSecond + time.Nanoseconds)
        : throw new InvalidOperationException("The clock that goes on while the machine sleeps is gone.");
}
