using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Storage.Native;

/// <summary>
/// QEMU's image locks: who relies on permission p holds a shared lock on byte 100+p, who does not share p with others one on byte 200+p,
/// and whoever comes later looks whether the opposite bytes are free. They are open-file-description locks, so they belong to the handle and
/// go with it. (QEMU's block/file-posix.c; the sets are what qemu-img 7.2 takes for the same purpose.)
/// </summary>
internal static class ImageLocks
{
    private const int PermissionBase = 100;
    private const int UnsharedBase = 200;

    [Flags]
    private enum Permissions
    {
        None = 0,
        ConsistentRead = 1,
        Write = 2,
        WriteUnchanged = 4,
        Resize = 8,
    }

    /// <summary>Takes the locks on a file just opened, or throws <see cref="ImageErrorKind.Locked"/> in QEMU's words.</summary>
    /// <param name="file">The file.</param>
    /// <param name="path">What messages name.</param>
    /// <param name="mode">What it is opened for.</param>
    /// <param name="create">It is about to be emptied: as QEMU, first see that nobody minds its length.</param>
    /// <returns>False where there is nothing to <see cref="Release"/>.</returns>
    public static bool Take(SafeFileHandle file, string path, OpenMode mode, bool create = false)
    {
        if (mode.Lock == ImageLock.Shared && mode.Write)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, path, "force-share=on can only be used with read-only images");
        }

        if (mode.Lock == ImageLock.None || !IsSupported(file))
        {
            return false;
        }

        bool isOfUse = false;
        bool isQemus = mode.Use != ImageUse.Exclusive;
        try
        {
            if (create && isQemus)
            {
                TakeStep(file, path, Permissions.Write | Permissions.Resize, Permissions.Resize);
                Release(file);
            }

            if (isQemus && mode is { Role: FileRole.Data, Lock: ImageLock.Default })
            {
                // QEMU ties such a file to its image before anybody uses the image.
                TakeStep(file, path, Permissions.None, Permissions.Resize);
            }

            (Permissions wanted, Permissions unshared) = isQemus ? Asked(mode) : Exclusive(mode);
            isOfUse = isQemus && mode.Role != FileRole.Image;
            TakeStep(file, path, wanted, unshared);
            return true;
        }
        catch (ImageException e)
        {
            Release(file);
            throw isOfUse ? e.OfUse() : e;
        }
    }

    /// <summary>
    /// In addition to what <see cref="Take"/> took: nobody else may read or write the file any more (what QEMU asks for to change the keys of a LUKS
    /// image). Throws <see cref="ImageErrorKind.Locked"/> where somebody does.
    /// </summary>
    public static void TakeAlone(SafeFileHandle file, string path) => TakeStep(file, path, Permissions.Write, Permissions.ConsistentRead | Permissions.Write);

    private static (Permissions Wanted, Permissions Unshared) Exclusive(OpenMode mode)
    {
        bool sharesWriting = mode.Lock == ImageLock.Shared || (mode.Lock == ImageLock.SharedWrite && mode.Write);
        return (Permissions.ConsistentRead | (mode.Write ? Permissions.Write | Permissions.Resize : Permissions.None),
            sharesWriting ? Permissions.None : Permissions.Write | Permissions.Resize);
    }

    // What a use of the image asks of one of its files.
    private static (Permissions Wanted, Permissions Unshared) Asked(OpenMode mode)
    {
        Permissions wanted = mode.Use == ImageUse.Look ? Permissions.None : Permissions.ConsistentRead;
        if (mode.Write && (mode.Role == FileRole.Image || mode.Use is ImageUse.Write or ImageUse.Resize))
        {
            // A format's own tables are written as soon as it is open for writing.
            bool resizes = mode.Role is FileRole.Image or FileRole.Data || mode.Use == ImageUse.Resize;
            wanted |= resizes ? Permissions.Write | Permissions.Resize : Permissions.Write;
        }

        Permissions unshared = mode switch
        {
            { Lock: ImageLock.Shared } => Permissions.None,
            { Use: ImageUse.Source } or { Role: FileRole.Image } => Permissions.Write | Permissions.Resize,
            { Role: FileRole.Data } or { Role: FileRole.Base, Write: true } => Permissions.Resize,
            _ => Permissions.None,
        };
        return (wanted, unshared);
    }

    // First lock, then look: of two that come at once, at least one sees the other.
    private static void TakeStep(SafeFileHandle file, string path, Permissions wanted, Permissions unshared)
    {
        LockBytes(file, path, PermissionBase, wanted);
        LockBytes(file, path, UnsharedBase, unshared);
        CheckBytes(file, path, UnsharedBase, wanted, "");
        CheckBytes(file, path, PermissionBase, unshared, "shared ");
    }

    /// <summary>
    /// Gives the locks back. Closing would do so only once the last copy of the descriptor is closed, and a process that is just being
    /// started holds copies of all until it executes its program.
    /// </summary>
    public static void Release(SafeFileHandle file)
    {
        LibC.Flock all = new() { Type = LibC.UnLck, Start = PermissionBase, Length = UnsharedBase - PermissionBase + 4 };
        LibC.FCntl(file, LibC.OfdSetLk, ref all);
    }

    /// <summary>As QEMU's locking=auto: no locks where the system or the file system has none.</summary>
    private static bool IsSupported(SafeFileHandle file)
    {
        LibC.Flock whole = new() { Type = LibC.WrLck };
        return HostFile.IsLinux && LibC.FCntl(file, LibC.OfdGetLk, ref whole) == 0;
    }

    private static void LockBytes(SafeFileHandle file, string path, int start, Permissions permissions)
    {
        foreach (Permissions permission in Each(permissions))
        {
            int at = start + IndexOf(permission);
            LibC.Flock flock = new() { Type = LibC.RdLck, Start = at, Length = 1 };
            if (LibC.FCntl(file, LibC.OfdSetLk, ref flock) < 0)
            {
                // Only an exclusive lock can be in the way, which QEMU never takes: some other program's.
                int errno = Marshal.GetLastPInvokeError();
                ImageErrorKind kind = errno is Errno.Again or Errno.Access ? ImageErrorKind.Locked : ImageErrorKind.Io;
                throw new ImageException(kind, path, $"Failed to lock byte {at}: {Errno.Text(errno)}") { Errno = errno };
            }
        }
    }

    private static void CheckBytes(SafeFileHandle file, string path, int start, Permissions permissions, string sharedOrNot)
    {
        foreach (Permissions permission in Each(permissions))
        {
            LibC.Flock flock = new() { Type = LibC.WrLck, Start = start + IndexOf(permission), Length = 1 };
            bool asked = LibC.FCntl(file, LibC.OfdGetLk, ref flock) == 0;
            if (!asked || flock.Type != LibC.UnLck)
            {
                throw new ImageException(ImageErrorKind.Locked, path, $"Failed to get {sharedOrNot}\"{NameOf(permission)}\" lock")
                {
                    Errno = asked ? Errno.Again : Marshal.GetLastPInvokeError(),
                    Hint = $"Is another process using the image [{path}]?",
                };
            }
        }
    }

    private static IEnumerable<Permissions> Each(Permissions permissions)
    {
        for (int bits = (int)permissions; bits != 0; bits &= bits - 1)
        {
            yield return (Permissions)(bits & -bits);
        }
    }

    private static int IndexOf(Permissions permission) => BitOperations.TrailingZeroCount((int)permission);

    private static string NameOf(Permissions permission) => permission switch
    {
        Permissions.ConsistentRead => "consistent read",
        Permissions.Write => "write",
        Permissions.WriteUnchanged => "write unchanged",
        _ => "resize",
    };
}
