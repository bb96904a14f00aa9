using System.Runtime.InteropServices;

namespace ImageCluster.QemuImg.CommandLine;

/// <summary>
/// Signals that do not end a qemu-img. SIGUSR1 asks how far the work is, at any time: a command that cannot tell goes on. SIGALRM and SIGIO, which QEMU's
/// main loop keeps for itself, go unheard. A file that would become longer than the process may make it (SIGXFSZ) is told like any other failure of a write.
/// </summary>
internal static partial class QuietSignals
{
    private const int SigUsr1 = 10;
    private const nint Default = 0;
    private const nint Ignore = 1;

    private static bool _isInstalled;

    // Linux, x86-64 and arm64: SIGUSR1, SIGALRM, SIGXFSZ, SIGIO.
    private static ReadOnlySpan<int> Numbers => [SigUsr1, 14, 25, 29];

    public static void Install()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        foreach (int number in Numbers)
        {
            _ = Signal(number, Ignore);
        }

        _isInstalled = true;
    }

    /// <summary>Before the first who wants to hear SIGUSR1 says so: .NET does not listen for what is ignored.</summary>
    public static void AllowUsr1()
    {
        if (Interlocked.Exchange(ref _isInstalled, false))
        {
            _ = Signal(SigUsr1, Default);
        }
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Signal(int number, nint handler);
}
