using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Storage.Native;

/// <summary>
/// The system calls of Linux that .NET has no method for. Each returns -1 (or a negative offset) and sets errno, as the C library does;
/// <see cref="HostFile"/> wraps them and says what happens on other systems.
/// </summary>
internal static partial class LibC
{
    public const int RdOnly = 0;
    public const int RdWr = 2;
    public const int Creat = 0x40;
    public const int Excl = 0x80;
    public const int NonBlock = 0x800;
    public const int DSync = 0x1000;
    public const int NoATime = 0x40000;
    public const int CloExec = 0x80000;
    public const int Path = 0x200000;

    public const int AtFdCwd = -100;
    public const int AtEmptyPath = 0x1000;

    public const int SeekEnd = 2;
    public const int SeekData = 3;
    public const int SeekHole = 4;

    public const int FallocKeepSize = 0x01;
    public const int FallocPunchHole = 0x02;
    public const int FallocZeroRange = 0x10;

    public const uint SyncFileRangeWrite = 2;

    public const int OfdGetLk = 36;
    public const int OfdSetLk = 37;
    public const int GetFd = 1;
    public const short RdLck = 0;
    public const short WrLck = 1;
    public const short UnLck = 2;

    public const nuint BlkRoGet = 0x125e;
    public const nuint BlkSszGet = 0x1268;
    public const nuint BlkDiscard = 0x1277;
    public const nuint BlkZeroOut = 0x127f;
    public const nuint BlkGetSize64 = 0x80081272;

    // These three differ between the families of processors.
    public static int Direct => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.Arm or Architecture.Arm64 => 0x10000,
        Architecture.Ppc64le => 0x20000,
        _ => 0x4000,
    };

    public static int Directory => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.Arm or Architecture.Arm64 or Architecture.Ppc64le => 0x4000,
        _ => 0x10000,
    };

    public static int NoFollow => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.Arm or Architecture.Arm64 or Architecture.Ppc64le => 0x8000,
        _ => 0x20000,
    };

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    public static partial int OpenAt(int directory, [MarshalUsing(typeof(PathMarshaller))] string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "unlink", SetLastError = true)]
    public static partial int Unlink([MarshalUsing(typeof(PathMarshaller))] string path);

    /// <summary>Returns how many bytes of the buffer are the link's target, or -1.</summary>
    [LibraryImport("libc", EntryPoint = "readlink", SetLastError = true)]
    public static partial nint ReadLink([MarshalUsing(typeof(PathMarshaller))] string path, Span<byte> target, nuint length);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int FCntl(int file, int command);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    public static partial int FDataSync(SafeFileHandle file);

    /// <param name="length">0 for all that follows.</param>
    [LibraryImport("libc", EntryPoint = "sync_file_range", SetLastError = true)]
    public static partial int SyncFileRange(SafeFileHandle file, long offset, long length, uint flags);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long LSeek(SafeFileHandle file, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    public static partial int FAllocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int FCntl(SafeFileHandle file, int command, ref Flock flock);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int IoCtl(SafeFileHandle file, nuint request, ref IoRange range);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int IoCtl(SafeFileHandle file, nuint request, out long value);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int IoCtl(SafeFileHandle file, nuint request, out int value);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int StatX(SafeFileHandle file, string path, int flags, uint mask, out StatXBuffer buffer);

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    public static partial int ClockGetTime(int clock, out TimeSpec time);

    [LibraryImport("libc", EntryPoint = "copy_file_range", SetLastError = true)]
    public static partial nint CopyFileRange(SafeFileHandle source, ref long sourceOffset, SafeFileHandle target, ref long targetOffset, nuint length, uint flags);

    /// <summary>struct flock of the 64-bit Linux systems.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 32)]
    public struct Flock
    {
        [FieldOffset(0)]
        public short Type;

        [FieldOffset(2)]
        public short Whence;

        [FieldOffset(8)]
        public long Start;

        [FieldOffset(16)]
        public long Length;

        [FieldOffset(24)]
        public int Pid;
    }

    /// <summary>The argument of BLKDISCARD and BLKZEROOUT: bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct IoRange
    {
        public long Start;
        public long Length;
    }

    /// <summary>The parts of struct statx that are used; its layout is the same on every processor.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct StatXBuffer
    {
        public const uint BasicStats = 0x7ff;
        public const uint DioAlign = 0x2000;

        [FieldOffset(0)]
        public uint Mask;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(40)]
        public long Size;

        /// <summary>In units of 512 bytes.</summary>
        [FieldOffset(48)]
        public long Blocks;

        [FieldOffset(152)]
        public uint DioMemoryAlign;

        [FieldOffset(156)]
        public uint DioOffsetAlign;
    }

    /// <summary>struct timespec of a 64-bit system.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
