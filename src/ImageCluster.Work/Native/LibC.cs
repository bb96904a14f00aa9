using System.Runtime.InteropServices;

namespace ImageCluster.Work.Native;

/// <summary>The system calls of Linux that .NET has no method for. Each returns -1 and sets errno, as the C library does.</summary>
internal static partial class LibC
{
    public const int AtFdCwd = -100;
    public const uint RenameNoReplace = 1;
    public const int OpenReadCloExec = 0x80000;
    public const uint BasicStats = 0x7ff;
    public const int TypeMask = 0xf000;
    public const int BlockDevice = 0x6000;

    public const int ClockBootTime = 7;

    // The same on every processor but alpha.
    public const nint OpenAt2Number = 437;
    public const ulong ResolveNoSymlinks = 0x04;
    public const ulong ResolveBeneath = 0x08;

    public const int Perm = 1;
    public const int NoEnt = 2;
    public const int Again = 11;
    public const int Exist = 17;
    public const int XDev = 18;
    public const int NotDir = 20;
    public const int Loop = 40;
    public const int NoSys = 38;
    public const int Inval = 22;

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int RenameAt2(int fromDirectory, string from, int toDirectory, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Link(string existing, string added);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int OpenAt(int directory, string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint OpenAt2(nint number, int directory, string path, ref OpenHow how, nuint size);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int FSync(int file);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int file);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int StatX(int directory, string path, int flags, uint mask, out StatXBuffer buffer);

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    public static partial int ClockGetTime(int clock, out TimeSpec time);

    /// <summary>struct open_how.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct OpenHow
    {
        public ulong Flags;

        public ulong Mode;

        public ulong Resolve;
    }

    /// <summary>struct timespec, where a long is as wide as a pointer.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct TimeSpec
    {
        public nint Seconds;

        public nint Nanoseconds;
    }

    /// <summary>The parts of struct statx that are used; its layout is the same on every processor.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct StatXBuffer
    {
        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(40)]
        public long Size;

        /// <summary>In units of 512 bytes.</summary>
        [FieldOffset(48)]
        public long Blocks;

        [FieldOffset(96)]
        public long ChangeSeconds;

        [FieldOffset(104)]
        public uint ChangeNanoseconds;

        [FieldOffset(112)]
        public long ModifySeconds;

        [FieldOffset(120)]
        public uint ModifyNanoseconds;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }
}
