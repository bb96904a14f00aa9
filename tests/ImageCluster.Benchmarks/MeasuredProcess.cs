using System.Diagnostics;
using System.Runtime.InteropServices;

namespace ImageCluster.Benchmarks;

/// <summary>What one run of a program took.</summary>
/// <param name="Wall">Seconds from start to end.</param>
/// <param name="Cpu">Seconds of processor time, user and system.</param>
/// <param name="PeakMemory">Largest resident set, bytes.</param>
internal readonly record struct Measurement(double Wall, double Cpu, long PeakMemory);

/// <summary>Runs a program as a whole process and asks the kernel what it took (wait4), output thrown away.</summary>
internal static partial class MeasuredProcess
{
    public static Measurement Run(string program, params string[] arguments)
    {
        string[] argv = ["/bin/sh", "-c", "exec \"$0\" \"$@\" >/dev/null", program, .. arguments];
        nint[] pointers = new nint[argv.Length + 1];
        for (int i = 0; i < argv.Length; i++)
        {
            pointers[i] = Marshal.StringToCoTaskMemUTF8(argv[i]);
        }

        try
        {
            long start = Stopwatch.GetTimestamp();
            int error = PosixSpawn(out int pid, argv[0], 0, 0, pointers, Environ());
            if (error != 0)
            {
                throw new InvalidOperationException($"{program} could not be started (errno {error})");
            }

            using PeakMemory memory = new(pid);
            if (Wait4(pid, out int status, 0, out ResourceUsage usage) != pid)
            {
                throw new InvalidOperationException($"{program} could not be waited for");
            }

            double wall = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (status != 0)
            {
                throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: status {status >> 8}, signal {status & 127}");
            }

            double cpu = usage.UserSeconds + usage.SystemSeconds + ((usage.UserMicroseconds + usage.SystemMicroseconds) / 1e6);
            return new Measurement(wall, cpu, memory.Bytes);
        }
        finally
        {
            Array.ForEach(pointers, Marshal.FreeCoTaskMem);
        }
    }

    private static nint Environ() => Marshal.ReadIntPtr(NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "environ"));

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int PosixSpawn(out int pid, string path, nint actions, nint attributes, nint[] argv, nint environment);

    [LibraryImport("libc", EntryPoint = "wait4")]
    private static partial int Wait4(int pid, out int status, int options, out ResourceUsage usage);

    // struct rusage of 64-bit Linux (getrusage(2)). Its ru_maxrss is of no use: it keeps the size that this process had when it spawned the child.
    [StructLayout(LayoutKind.Sequential, Size = 144)]
    private struct ResourceUsage
    {
        public long UserSeconds;
        public long UserMicroseconds;
        public long SystemSeconds;
        public long SystemMicroseconds;
    }
}
