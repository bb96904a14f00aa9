using ImageCluster.Cli.Migrating.Converting;
using ImageCluster.Jobs.Execution;
using ImageCluster.Testing.Time;

namespace ImageCluster.Cli.Tests.Migrating;

public sealed class CheckpointTests
{
    [Fact]
    public void EveryShardIsStoredOnceAndATenthOfTheTimeIsNotExceeded()
    {
        ManualTime time = new();
        TimeSpan storing = TimeSpan.FromMilliseconds(40);
        List<long> stored = [];
        int times = 0;
        Checkpoint checkpoint = new(
            results =>
            {
                times++;
                stored.AddRange(results.Select(result => result.Shard));
                time.Advance(storing);
            },
            time);
        DateTimeOffset started = time.GetUtcNow();
        for (int i = 0; i < 1000; i++)
        {
            time.Advance(TimeSpan.FromMilliseconds(10));
            checkpoint.Add(new ShardResult { Shard = i });
        }

        double share = times * storing / (time.GetUtcNow() - started);
        Assert.InRange(share, 0.05, 0.11);
        checkpoint.Flush();
        checkpoint.Flush();
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => (long)i), stored);
    }

    [Fact]
    public void WhatCouldNotBeStoredIsStoredByTheNext()
    {
        ManualTime time = new();
        List<long> stored = [];
        bool fails = true;
        Checkpoint checkpoint = new(
            results =>
            {
                if (fails)
                {
                    throw new IOException("full");
                }

                stored.AddRange(results.Select(result => result.Shard));
            },
            time);
        checkpoint.Add(new ShardResult { Shard = 1 });
        Assert.Throws<IOException>(checkpoint.Flush);
        fails = false;
        checkpoint.Add(new ShardResult { Shard = 2 });
        checkpoint.Flush();
        Assert.Equal([1L, 2], stored);
    }
}
