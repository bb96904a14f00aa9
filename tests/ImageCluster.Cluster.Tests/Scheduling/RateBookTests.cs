using ImageCluster.Cluster.Scheduling;
using ImageCluster.Testing.Time;

namespace ImageCluster.Cluster.Tests.Scheduling;

/// <summary>Rates that workers share, by a clock that the test moves.</summary>
public sealed class RateBookTests
{
    private const long Rate = 100 << 20;
    private static readonly TimeSpan Run = TimeSpan.FromSeconds(60);
    private readonly ManualTime _time = new();
    private readonly RateBook _book;

    public RateBookTests() => _book = new RateBook(_time);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(64)]
    public void Hungry_workers_have_equal_parts_and_the_whole_rate(int workers)
    {
        long[] used = Simulate([.. Enumerable.Repeat(long.MaxValue, workers)]);
        AssertNearly(Rate, used.Sum());
        Assert.All(used, bytes => AssertNearly((double)Rate / workers, bytes));
    }

    [Fact]
    public void What_slow_ones_leave_the_others_have()
    {
        long[] used = Simulate([5 << 20, 1 << 20, long.MaxValue, 10 << 20, long.MaxValue]);
        AssertNearly(Rate, used.Sum());
        AssertNearly(5 << 20, used[0]);
        AssertNearly(1 << 20, used[1]);
        AssertNearly(42 << 20, used[2]);
        AssertNearly(10 << 20, used[3]);
        AssertNearly(42 << 20, used[4]);
    }

    [Fact]
    public void Where_all_are_slow_nobody_waits()
    {
        long[] used = Simulate([10 << 20, 20 << 20, 30 << 20]);
        AssertNearly(10 << 20, used[0]);
        AssertNearly(20 << 20, used[1]);
        AssertNearly(30 << 20, used[2]);
    }

    [Fact]
    public void A_worker_that_died_leaves_its_part_to_the_others()
    {
        long[] both = Simulate([long.MaxValue, long.MaxValue]);
        long[] left = Simulate([long.MaxValue]);
        AssertNearly(Rate / 2, both[0]);
        AssertNearly(Rate, left[0]);
    }

    [Fact]
    public void At_no_time_is_more_given_than_the_rate_and_a_quarter_of_a_second()
    {
        long given = 0;
        for (int i = 0; i < 10_000; i++)
        {
            (long bytes, TimeSpan wait) = _book.Reserve("m", Rate, $"w{i % 7}", long.MaxValue);
            Assert.InRange(bytes, 1, Rate / 4);
            // All that may be used up to then.
            given += bytes;
            double until = (_time.GetUtcNow() - new ManualTime().GetUtcNow() + wait).TotalSeconds;
            Assert.True(given <= (Rate * (until + 0.25)) + 1, $"{given} in {until} s");
            _time.Advance(TimeSpan.FromMilliseconds(i % 5));
        }
    }

    [Fact]
    public void The_smallest_rate_gives_a_byte_at_a_time()
    {
        Assert.Equal(1, _book.Reserve("m", 1, "w", 100).Bytes);
        Assert.InRange(_book.Reserve("m", 1, "w", 100).Wait.TotalSeconds, 0.7, 2);
    }

    [Fact]
    public void A_rate_that_nobody_uses_is_forgotten()
    {
        _book.Reserve("m", Rate, "w", 1);
        _time.Advance(RateBook.KeptFor / 2);
        _book.Reserve("n", Rate, "w", 1);
        _time.Advance(RateBook.KeptFor * 0.6);
        _book.Forget();
        Assert.Equal(1, _book.Count);
    }

    // Each worker can use so many bytes a second, and reserves what it has used up; returns what each used a second.
    private long[] Simulate(long[] speeds)
    {
        long[] used = new long[speeds.Length];
        var next = new PriorityQueue<int, DateTimeOffset>(Enumerable.Range(0, speeds.Length).Select(worker => (worker, _time.GetUtcNow())));
        // Who comes first has a quarter of a second's bytes for itself.
        DateTimeOffset start = _time.GetUtcNow() + TimeSpan.FromSeconds(10);
        DateTimeOffset end = start + Run;
        while (next.TryDequeue(out int worker, out DateTimeOffset at) && at < end)
        {
            _time.Advance(at - _time.GetUtcNow());
            long wanted = speeds[worker] == long.MaxValue ? long.MaxValue : speeds[worker] / 8;
            (long bytes, TimeSpan wait) = _book.Reserve("m", Rate, $"w{worker}", wanted);
            used[worker] += at >= start ? bytes : 0;
            // It has them in work for as long as its storage takes, whether or not it had to wait.
            TimeSpan work = speeds[worker] == long.MaxValue ? TimeSpan.Zero : TimeSpan.FromSeconds((double)bytes / speeds[worker]);
            next.Enqueue(worker, at + (wait > work ? wait : work));
        }

        return [.. used.Select(bytes => (long)(bytes / Run.TotalSeconds))];
    }

    private static void AssertNearly(double expected, double actual) => Assert.InRange(actual, expected * 0.94, expected * 1.06);
}
