using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Storage.Native;

/// <summary>
/// Opened files of the operating system: the calls that .NET lacks, with the answer "not supported" where the system lacks them too.
/// Methods return 0 or an error number; nothing here throws <see cref="ImageException"/> but the opening itself.
/// </summary>
internal static class HostFile
{
    // The kernel's limit.
    private const int MaxPath = 4096;

    /// <summary>struct flock and the open flags below are those of 64-bit Linux; elsewhere plain .NET does.</summary>
    public static bool IsLinux { get; } = OperatingSystem.IsLinux() && Environment.Is64BitProcess;

    /// <summary>
    /// Opens a path, or an entry of an open directory and then never through a symbolic link. <paramref name="create"/> creates the file where
    /// there is none (never truncating one), <paramref name="mustBeNew"/> fails where there is one. Unlike
    /// <see cref="File.OpenHandle"/> it takes no flock lock, which QEMU does not know of. Linux only.
    /// </summary>
    /// <returns>The handle, or null with the error number.</returns>
    public static SafeFileHandle? TryOpenAt(SafeFileHandle? directory, string path, OpenMode mode, bool create, bool mustBeNew, out int errno)
    {
        // O_NONBLOCK: opening a pipe must not wait for its other end; regular files and block devices do not mind.
        int flags = LibC.CloExec | LibC.NonBlock | (mode.Write || create ? LibC.RdWr : LibC.RdOnly);
        flags |= create ? LibC.Creat : 0;
        flags |= create && mustBeNew ? LibC.Excl : 0;
        flags |= directory is null ? 0 : LibC.NoFollow;
        flags |= IsDirect(mode.Cache) ? LibC.Direct : 0;
        flags |= mode.Write && IsDurable(mode.Cache) ? LibC.DSync : 0;
        SafeFileHandle? handle = OpenRaw(directory, path, flags | (mode.NoAtime ? LibC.NoATime : 0), out errno);
        if (handle is null && mode.NoAtime && errno == Errno.Perm)
        {
            // Only the owner may keep the access time.
            handle = OpenRaw(directory, path, flags, out errno);
        }

        return handle;
    }

    public static bool IsDirect(CacheMode cache) => cache is CacheMode.None or CacheMode.DirectSync;

    public static bool IsDurable(CacheMode cache) => cache is CacheMode.Writethrough or CacheMode.DirectSync;

    /// <summary>Opens a directory as a place to open entries of.</summary>
    public static SafeFileHandle? TryOpenDirectory(string path, out int errno) =>
        OpenRaw(null, path, LibC.Path | LibC.Directory | LibC.CloExec, out errno);

    /// <summary>The path of an open file with every link resolved, as the kernel has it; null where it cannot say.</summary>
    public static string? PathOf(SafeFileHandle file)
    {
        bool added = false;
        try
        {
            file.DangerousAddRef(ref added);
            return LinkTarget($"/proc/self/fd/{file.DangerousGetHandle()}");
        }
        finally
        {
            if (added)
            {
                file.DangerousRelease();
            }
        }
    }

    /// <summary>What a symbolic link leads to; null for what is none.</summary>
    public static string? LinkTarget(string path)
    {
        if (!IsLinux)
        {
            return new FileInfo(path).LinkTarget;
        }

        byte[] target = new byte[MaxPath];
        nint length = LibC.ReadLink(path, target, (nuint)target.Length);
        return length < 0 ? null : NameText.GetString(target.AsSpan(0, (int)length));
    }

    /// <summary>The current directory, links resolved, also where it has been removed since.</summary>
    public static string CurrentDirectory => IsLinux && LinkTarget("/proc/self/cwd") is { } path ? path : Environment.CurrentDirectory;

    /// <summary>Anything has that name, be it a link that leads nowhere.</summary>
    public static bool Exists(string path)
    {
        if (!IsLinux)
        {
            return System.IO.Path.Exists(path);
        }

        using SafeFileHandle? place = OpenRaw(null, path, LibC.Path | LibC.NoFollow | LibC.CloExec, out _);
        return place is not null;
    }

    /// <summary>Removes a name that is not a directory's; 0, or the error number.</summary>
    public static int Remove(string path) => LibC.Unlink(path) < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>What stands at a path, links followed, without opening it; null where nothing does, or where the system does not say.</summary>
    public static FileType? TypeOf(string path)
    {
        if (!IsLinux)
        {
            return null;
        }

        using SafeFileHandle? place = OpenRaw(null, path, LibC.Path | LibC.CloExec, out _);
        return place is not null && Status(place, out FileStatus status) == 0 ? status.Type : null;
    }

    /// <summary>What the name leads to, whatever may be done with it, is a block or character device.</summary>
    public static bool IsDevice(string path) => TypeOf(path) is FileType.BlockDevice or FileType.CharacterDevice;

    public static int Status(SafeFileHandle file, out FileStatus status)
    {
        status = default;
        if (!IsLinux)
        {
            return Errno.OpNotSupp;
        }

        if (LibC.StatX(file, "", LibC.AtEmptyPath, LibC.StatXBuffer.BasicStats | LibC.StatXBuffer.DioAlign, out LibC.StatXBuffer buffer) < 0)
        {
            return Marshal.GetLastPInvokeError();
        }

        bool tellsAlignment = (buffer.Mask & LibC.StatXBuffer.DioAlign) != 0;
        status = new FileStatus(
            (FileType)(buffer.Mode & 0xf000),
            buffer.Size,
            buffer.Blocks * 512,
            tellsAlignment ? (int)buffer.DioOffsetAlign : null,
            tellsAlignment ? (int)buffer.DioMemoryAlign : null);
        return 0;
    }

    /// <summary>
    /// Where the next data (or the next hole) at or after <paramref name="offset"/> starts; -1 with an error number: ENXIO where there is none.
    /// </summary>
    public static long Seek(SafeFileHandle file, long offset, bool hole, out int errno)
    {
        errno = Errno.OpNotSupp;
        if (!IsLinux)
        {
            return -1;
        }

        long found = LibC.LSeek(file, offset, hole ? LibC.SeekHole : LibC.SeekData);
        errno = found < 0 ? Marshal.GetLastPInvokeError() : 0;
        return found;
    }

    public static int Allocate(SafeFileHandle file, int mode, long offset, long length)
    {
        if (!IsLinux)
        {
            return Errno.OpNotSupp;
        }

        int errno;
        do
        {
            errno = LibC.FAllocate(file, mode, offset, length) < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (errno == Errno.Intr);
        return errno;
    }

    public static int DataSync(SafeFileHandle file)
    {
        if (IsLinux)
        {
            return LibC.FDataSync(file) < 0 ? Marshal.GetLastPInvokeError() : 0;
        }

        RandomAccess.FlushToDisk(file);
        return 0;
    }

    /// <summary>Begins to write to storage what the page cache has of the file, and does not wait. What comes of it <see cref="DataSync"/> says.</summary>
    public static void StartWriting(SafeFileHandle file)
    {
        if (IsLinux)
        {
            _ = LibC.SyncFileRange(file, 0, 0, LibC.SyncFileRangeWrite);
        }
    }

    /// <summary>BLKDISCARD or BLKZEROOUT of a range.</summary>
    public static int DeviceRange(SafeFileHandle file, nuint request, long offset, long length)
    {
        LibC.IoRange range = new() { Start = offset, Length = length };
        return LibC.IoCtl(file, request, ref range) < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>Length of a device in bytes; 0 for one that has none (a character device).</summary>
    public static long DeviceLength(SafeFileHandle file)
    {
        if (LibC.IoCtl(file, LibC.BlkGetSize64, out long length) == 0)
        {
            return length;
        }

        return Math.Max(0, LibC.LSeek(file, 0, LibC.SeekEnd));
    }

    /// <summary>Logical sector size of a block device in bytes; 0 where it does not say.</summary>
    public static int SectorSize(SafeFileHandle file) => LibC.IoCtl(file, LibC.BlkSszGet, out int size) == 0 ? size : 0;

    /// <summary>The block device takes no writes, whoever has opened it for them.</summary>
    public static bool IsReadOnlyDevice(SafeFileHandle file) => LibC.IoCtl(file, LibC.BlkRoGet, out int isReadOnly) == 0 && isReadOnly != 0;

    /// <summary>copy_file_range: bytes copied, 0 at the source's end, or -1 with an error number.</summary>
    public static long CopyRange(SafeFileHandle source, long sourceOffset, SafeFileHandle target, long offset, long length, out int errno)
    {
        errno = Errno.OpNotSupp;
        if (!IsLinux)
        {
            return -1;
        }

        long copied = LibC.CopyFileRange(source, ref sourceOffset, target, ref offset, (nuint)length, 0);
        errno = copied < 0 ? Marshal.GetLastPInvokeError() : 0;
        return copied;
    }

    private static SafeFileHandle? OpenRaw(SafeFileHandle? directory, string path, int flags, out int errno)
    {
        bool added = false;
        try
        {
            directory?.DangerousAddRef(ref added);
            int at = directory is null ? LibC.AtFdCwd : (int)directory.DangerousGetHandle();
            int descriptor;
            do
            {
                descriptor = LibC.OpenAt(at, path, flags, 0x1a4 /* 0644, as QEMU */);
                errno = descriptor < 0 ? Marshal.GetLastPInvokeError() : 0;
            }
            while (errno == Errno.Intr);
            return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
        }
        finally
        {
            if (added)
            {
                directory!.DangerousRelease();
            }
        }
    }
}

/// <summary>S_IFMT values.</summary>
internal enum FileType
{
    CharacterDevice = 0x2000,
    Directory = 0x4000,
    BlockDevice = 0x6000,
    Regular = 0x8000,
}

/// <param name="Type">What it is.</param>
/// <param name="Length">Bytes; 0 for devices.</param>
/// <param name="AllocatedBytes">Bytes on the storage.</param>
/// <param name="DirectAlignment">What O_DIRECT wants of offsets and lengths, 0 where it is not supported; null where the file system does not tell.</param>
/// <param name="DirectMemoryAlignment">What O_DIRECT wants of addresses, likewise.</param>
internal readonly record struct FileStatus(FileType Type, long Length, long AllocatedBytes, int? DirectAlignment, int? DirectMemoryAlignment);
