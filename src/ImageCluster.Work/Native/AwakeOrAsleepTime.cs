namespace ImageCluster.Work.Native;

/// <summary>
/// A monotonic clock that goes on while the machine sleeps (CLOCK_BOOTTIME of Linux, clock_gettime(2)), where .NET's own stands still: what holds for half a minute
/// must not be found to hold still by a machine that wakes after an hour. The time of day and timers are the system's. A virtual machine that is paused by its
/// host has no clock that says so.
/// </summary>
public sealed class AwakeOrAsleepTime : TimeProvider
{
    private const long NanosecondsInSecond = 1_000_000_000;

    private AwakeOrAsleepTime()
    {
    }

    /// <summary>That clock; the system's own where there is none.</summary>
    public static TimeProvider Instance { get; } = IsThere ? new AwakeOrAsleepTime() : System;

    public override long TimestampFrequency => NanosecondsInSecond;

    private static bool IsThere => OperatingSystem.IsLinux() && LibC.ClockGetTime(LibC.ClockBootTime, out _) == 0;

    public override long GetTimestamp() => LibC.ClockGetTime(LibC.ClockBootTime, out LibC.TimeSpec time) == 0
        ? checked(time.Seconds * NanosecondsInSecond + time.Nanoseconds)
        : throw new InvalidOperationException("The clock that goes on while the machine sleeps is gone.");
}
