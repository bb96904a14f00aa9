using ImageCluster.Testing.Time;

namespace ImageCluster.Work.Tests;

public sealed class RateLimiterTests
{
    [Fact]
    public void TheRateHoldsOverAnyNumberOfRequests()
    {
        ManualTime time = new();
        RateLimiter limiter = new(1000, time);
        double waited = 0;
        for (int i = 0; i < 100; i++)
        {
            TimeSpan wait = limiter.Reserve(100);
            waited += wait.TotalSeconds;
            time.Advance(wait);
        }

        Assert.InRange(waited, 9.7, 10.01);
    }

    [Fact]
    public void APauseIsMadeUpForByAQuarterOfASecondOnly()
    {
        ManualTime time = new();
        RateLimiter limiter = new(1000, time);
        limiter.Reserve(1000);
        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(TimeSpan.Zero, limiter.Reserve(250));
        Assert.True(limiter.Reserve(100) > TimeSpan.FromMilliseconds(90));
    }

    [Fact]
    public async Task AWaitEndsWithItsTimeOrByCancellation()
    {
        ManualTime time = new();
        RateLimiter limiter = new(1000, time);
        Task waiting = Task.Run(() => limiter.Take(2000, CancellationToken.None));
        for (int i = 0; !waiting.IsCompleted && i < 1000; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(5);
        }

        await waiting;
        using CancellationTokenSource cancel = new(TimeSpan.FromMilliseconds(20));
        limiter.Reserve(100_000);
        Assert.Throws<OperationCanceledException>(() => limiter.Take(1, cancel.Token));
    }
}
