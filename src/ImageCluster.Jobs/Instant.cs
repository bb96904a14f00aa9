namespace ImageCluster.Jobs;

/// <summary>
/// A point in time in milliseconds since 1970 (UTC), as commands bring it in and events keep it. The domain never asks a clock.
/// </summary>
public readonly record struct Instant(long UnixMilliseconds) : IComparable<Instant>
{
    public static Instant From(DateTimeOffset time) => new(time.ToUnixTimeMilliseconds());

    public static Instant Min(Instant a, Instant b) => a <= b ? a : b;

    public static Instant Max(Instant a, Instant b) => a >= b ? a : b;

    /// <summary>A duration in whole milliseconds, as events keep it: what is decided must be what is read back.</summary>
    public static TimeSpan Whole(TimeSpan duration) => TimeSpan.FromMilliseconds((long)duration.TotalMilliseconds);

    public DateTimeOffset ToDateTimeOffset() => DateTimeOffset.FromUnixTimeMilliseconds(UnixMilliseconds);

    public int CompareTo(Instant other) => UnixMilliseconds.CompareTo(other.UnixMilliseconds);

    public override string ToString() => ToDateTimeOffset().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'");

    public static Instant operator +(Instant time, TimeSpan duration) => new(time.UnixMilliseconds + (long)duration.TotalMilliseconds);

    public static TimeSpan operator -(Instant end, Instant start) => TimeSpan.FromMilliseconds(end.UnixMilliseconds - start.UnixMilliseconds);

    public static bool operator <(Instant left, Instant right) => left.UnixMilliseconds < right.UnixMilliseconds;

    public static bool operator >(Instant left, Instant right) => left.UnixMilliseconds > right.UnixMilliseconds;

    public static bool operator <=(Instant left, Instant right) => left.UnixMilliseconds <= right.UnixMilliseconds;

    public static bool operator >=(Instant left, Instant right) => left.UnixMilliseconds >= right.UnixMilliseconds;
}
