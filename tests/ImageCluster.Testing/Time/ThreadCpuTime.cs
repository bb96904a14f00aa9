using System.ComponentModel;
using System.Runtime.InteropServices;

namespace ImageCluster.Testing.Time;

/// <summary>The processor's time that the calling thread has used: what bounds work in a test, however busy the machine is.</summary>
public static partial class ThreadCpuTime
{
    // CLOCK_THREAD_CPUTIME_ID, clock_gettime(2)
    private const int ThreadClock = 3;

    public static TimeSpan Used
    {
        get
        {
            long[] time = new long[2];
            return GetTime(ThreadClock, time) == 0
                ? TimeSpan.FromSeconds(time[0]) + TimeSpan.FromMicroseconds(time[1] / 1000)
                : throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    // A timespec is two longs on 64-bit Linux.
    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    private static partial int GetTime(int clock, [Out] long[] time);
}
