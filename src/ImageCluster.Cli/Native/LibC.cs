using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Cli.Native;

/// <summary>The system calls of Linux that .NET has no method for. Each returns -1 and sets errno, as the C library does.</summary>
internal static partial class LibC
{
    public const int AtFdCwd = -100;
    public const int OpenReadWriteCreateCloExec = 0x80042;
    public const int LockExclusiveNonBlocking = 6;

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int OpenAt(int directory, string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int FLock(SafeFileHandle file, int operation);

    /// <summary>Returns only where it failed. The last argument is null.</summary>
    [LibraryImport("libc", EntryPoint = "execvp", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ExecVP(string file, string?[] arguments);
}
