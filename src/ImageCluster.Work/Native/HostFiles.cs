using System.ComponentModel;
using System.Runtime.InteropServices;
using ImageCluster.Imaging;

namespace ImageCluster.Work.Native;

/// <summary>Moves files to their final names and makes that durable.</summary>
public static class HostFiles
{
    /// <summary>Gives a file a new name in the same file system; a file that has that name already is never replaced.</summary>
    /// <exception cref="ImageException"><see cref="ImageErrorKind.Exists"/> where the name is taken.</exception>
    public static void RenameNew(string from, string to)
    {
        if (!OperatingSystem.IsLinux())
        {
            Guard(to, () => File.Move(from, to, overwrite: false));
            return;
        }

        int errno = TryRenameNoReplace(from, to);
        if (errno is LibC.NoSys or LibC.Inval)
        {
            // Network file systems and old kernels: a hard link does not replace either.
            errno = LibC.Link(from, to) < 0 ? Marshal.GetLastPInvokeError() : 0;
            if (errno == 0)
            {
                Guard(to, () => File.Delete(from));
            }
            else if (errno != LibC.Exist)
            {
                Guard(to, () => File.Move(from, to, overwrite: false));
                return;
            }
        }

        if (errno != 0)
        {
            throw Failure(errno, to, $"Could not rename '{from}' to it");
        }
    }

    /// <summary>Gives a file a new name in the same file system, in the place of a file that has it.</summary>
    public static void RenameOver(string from, string to) => Guard(to, () => File.Move(from, to, overwrite: true));

    /// <summary>Returns when the names in a directory are on stable storage. File systems that cannot do that are left to themselves.</summary>
    public static void SyncDirectory(string directory)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        int handle = LibC.OpenAt(LibC.AtFdCwd, directory, LibC.OpenReadCloExec, 0);
        if (handle < 0)
        {
            throw Failure(Marshal.GetLastPInvokeError(), directory, "Could not open the directory");
        }

        int errno = LibC.FSync(handle) < 0 ? Marshal.GetLastPInvokeError() : 0;
        _ = LibC.Close(handle);
        if (errno is not (0 or LibC.Inval or LibC.NoSys))
        {
            throw Failure(errno, directory, "Could not flush the directory");
        }
    }

    /// <summary>Creates a directory with its parents, durably: a name that a crash takes back would take what lies in it along.</summary>
    public static void CreateDirectory(string directory)
    {
        List<string> parents = [];
        for (string? at = directory; at is not null && !Directory.Exists(at); at = Path.GetDirectoryName(at))
        {
            if (Path.GetDirectoryName(at) is { } parent)
            {
                parents.Add(parent);
            }
        }

        if (parents.Count > 0)
        {
            Guard(directory, () => Directory.CreateDirectory(directory));
            parents.ForEach(SyncDirectory);
        }
    }

    private static int TryRenameNoReplace(string from, string to)
    {
        try
        {
            return LibC.RenameAt2(LibC.AtFdCwd, from, LibC.AtFdCwd, to, LibC.RenameNoReplace) < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        catch (EntryPointNotFoundException)
        {
            return LibC.NoSys;
        }
    }

    private static void Guard(string file, Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            ImageErrorKind kind = File.Exists(file) && e is not UnauthorizedAccessException ? ImageErrorKind.Exists : ImageErrorKind.Io;
            throw new ImageException(kind, file, e.Message.ReplaceLineEndings(" "), e);
        }
    }

    internal static ImageException Failure(int errno, string file, string what) =>
        new(errno == LibC.Exist ? ImageErrorKind.Exists : ImageErrorKind.Io, file, $"{what}: {new Win32Exception(errno).Message}") { Errno = errno };
}
