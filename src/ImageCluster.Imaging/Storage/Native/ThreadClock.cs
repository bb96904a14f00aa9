using System.Diagnostics;

namespace ImageCluster.Imaging.Storage.Native;

/// <summary>How long this thread has had a processor: of two moments, what the thread itself has worked between them, however busy the machine is.</summary>
internal static class ThreadClock
{
    private const int ThreadCpuTime = 3;

    /// <summary>Since some moment before. Where the system does not tell, time that passes.</summary>
    public static TimeSpan Now => HostFile.IsLinux && LibC.ClockGetTime(ThreadCpuTime, out LibC.TimeSpec time) == 0
        ? TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromMicroseconds(time.Nanoseconds / 1e3)
        : Stopwatch.GetElapsedTime(0);
}
