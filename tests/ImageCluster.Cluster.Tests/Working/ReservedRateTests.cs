using ImageCluster.Cluster.Working;
using ImageCluster.Testing.Time;

namespace ImageCluster.Cluster.Tests.Working;

public sealed class ReservedRateTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void A_piece_that_is_larger_than_what_is_given_at_once_is_reserved_bit_by_bit()
    {
        long given = 0;
        var rate = new ReservedRate(_time);
        rate.Take(1000, wanted => Give(Math.Min(wanted, 300)), CancellationToken.None);
        Assert.InRange(given, 1000, 1200);
        long before = given;
        // What is left over is used first.
        rate.Take(given - 1000 + 1, wanted => Give(wanted), CancellationToken.None);
        Assert.True(given > before);

        (long Bytes, TimeSpan Wait) Give(long bytes)
        {
            given += bytes;
            return (bytes, TimeSpan.Zero);
        }
    }

    [Fact]
    public void Where_bytes_are_used_up_quickly_requests_become_few()
    {
        int requests = 0;
        var rate = new ReservedRate(_time);
        for (int i = 0; i < 10_000; i++)
        {
            rate.Take(1 << 16, wanted =>
            {
                requests++;
                return (wanted, TimeSpan.Zero);
            }, CancellationToken.None);
        }

        Assert.InRange(requests, 1, 100);
    }

    [Fact]
    public async Task Bytes_are_not_used_before_their_time()
    {
        var rate = new ReservedRate(_time);
        Task taking = Task.Run(() => rate.Take(10, _ => (10, TimeSpan.FromSeconds(5)), CancellationToken.None));
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.False(taking.IsCompleted);
        while (!taking.IsCompleted)
        {
            // Its timer may be set only now.
            _time.Advance(TimeSpan.FromSeconds(5));
            await Task.Delay(5);
        }

        await taking;
    }

    [Fact]
    public async Task One_asks_for_all_and_who_is_cancelled_holds_nobody_up()
    {
        var rate = new ReservedRate(_time);
        using var asked = new ManualResetEventSlim();
        using var cancel = new CancellationTokenSource();
        Task first = Task.Run(() => rate.Take(10, _ =>
        {
            asked.Set();
            return (10, TimeSpan.FromHours(1));
        }, cancel.Token));
        asked.Wait();
        int others = 0;
        Task second = Task.Run(() => rate.Take(10, wanted =>
        {
            Interlocked.Increment(ref others);
            return (wanted, TimeSpan.Zero);
        }, CancellationToken.None));
        Assert.Equal(0, others);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await second.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(1, others);
    }

    [Fact]
    public void A_request_that_fails_is_the_tasks_own()
    {
        var rate = new ReservedRate(_time);
        Assert.Throws<InvalidOperationException>(() => rate.Take(10, _ => throw new InvalidOperationException(), CancellationToken.None));
        rate.Take(10, wanted => (wanted, TimeSpan.Zero), CancellationToken.None);
    }
}
