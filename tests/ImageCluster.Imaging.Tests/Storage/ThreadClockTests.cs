using System.Diagnostics;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Tests.Storage;

public sealed class ThreadClockTests
{
    [SkippableFact]
    public void ItCountsWhatTheThreadWorksAndNotWhatItWaits()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "only Linux tells what a thread has worked");
        TimeSpan start = ThreadClock.Now;
        long began = Stopwatch.GetTimestamp();
        using ManualResetEventSlim never = new(initialState: false, spinCount: 0);
        never.Wait(TimeSpan.FromMilliseconds(300));
        Assert.InRange(ThreadClock.Now - start, TimeSpan.Zero, Stopwatch.GetElapsedTime(began) / 2);

        TimeSpan before = ThreadClock.Now;
        began = Stopwatch.GetTimestamp();
        while (ThreadClock.Now - before < TimeSpan.FromMilliseconds(5))
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(60), "the clock stands still");
        }
    }
}
