using System.Runtime.InteropServices;
using ImageCluster.Imaging;

namespace ImageCluster.Work.Native;

/// <summary>
/// A directory below a root, reached without following a link and held open: what is done by its <see cref="Path"/> is done in it, whatever somebody who may write to
/// the root makes of the names that led there. Where the system has no call for that (openat2(2), Linux 5.6), or no root is given, it is the path alone.
/// </summary>
internal sealed class HeldDirectory : IDisposable
{
    private const string Descriptors = "/proc/self/fd";

    // Somebody renames on the way: openat2(2) says to try again.
    private const int Tries = 100;

    private readonly int _handle;
    private readonly string _name;

    private HeldDirectory(int handle, string name)
    {
        (_handle, _name) = (handle, name);
        Path = handle < 0 ? name : $"{Descriptors}/{handle}";
    }

    /// <summary>By which what is in it is reached while it is held.</summary>
    public string Path { get; }

    private static bool IsSupported { get; } = OperatingSystem.IsLinux() && Directory.Exists(Descriptors);

    /// <summary>Null where it is not there.</summary>
    /// <param name="root">An absolute path, which may be or lead through a link; null where links count for nothing.</param>
    /// <param name="path">The root or a path below it.</param>
    /// <exception cref="ImageException">A link leads there (<see cref="ImageErrorKind.Policy"/>), or it cannot be opened.</exception>
    public static HeldDirectory? Open(string? root, string path)
    {
        if (root is null || !IsSupported)
        {
            return Directory.Exists(path) ? new HeldDirectory(-1, path) : null;
        }

        int from = LibC.OpenAt(LibC.AtFdCwd, root, LibC.OpenReadCloExec, 0);
        if (from < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            return errno == LibC.NoEnt ? null : throw HostFiles.Failure(errno, root, "Could not open the directory");
        }

        using var held = new HeldDirectory(from, root);
        return held.Below(System.IO.Path.GetRelativePath(root, path));
    }

    /// <summary>As <see cref="Open"/>; it and those that it lies in are made where they are not there, durably.</summary>
    public static void Create(string? root, string path)
    {
        if (root is null || !IsSupported)
        {
            HostFiles.CreateDirectory(path);
            return;
        }

        HeldDirectory at = Open(root, root) ?? throw new ImageException(ImageErrorKind.NotFound, root, "The root is not there");
        try
        {
            foreach (string part in System.IO.Path.GetRelativePath(root, path).Split(System.IO.Path.DirectorySeparatorChar))
            {
                HeldDirectory next = at.Below(part) ?? at.Make(part);
                at.Dispose();
                at = next;
            }
        }
        finally
        {
            at.Dispose();
        }
    }

    /// <summary>A directory in it; null where it is not there.</summary>
    /// <exception cref="ImageException">As <see cref="Open"/>.</exception>
    public HeldDirectory? Below(string name)
    {
        string path = System.IO.Path.Join(_name, name);
        if (_handle < 0)
        {
            return Directory.Exists(path) ? new HeldDirectory(-1, path) : null;
        }

        int errno = LibC.Again;
        for (int i = 0; i < Tries && errno == LibC.Again; i++)
        {
            var how = new LibC.OpenHow { Flags = LibC.OpenReadCloExec, Resolve = LibC.ResolveNoSymlinks | LibC.ResolveBeneath };
            // A directory and nothing else ends in a dot.
            nint handle = LibC.OpenAt2(LibC.OpenAt2Number, _handle, $"{name}/.", ref how, (nuint)Marshal.SizeOf<LibC.OpenHow>());
            if (handle >= 0)
            {
                return new HeldDirectory((int)handle, path);
            }

            errno = Marshal.GetLastPInvokeError();
        }

        return errno switch
        {
            LibC.NoEnt or LibC.NotDir => null,
            // An old kernel, or a container that forbids what it does not know.
            LibC.NoSys or LibC.Perm => Directory.Exists(path) ? new HeldDirectory(-1, path) : null,
            LibC.Loop or LibC.XDev => throw new ImageException(ImageErrorKind.Policy, path, "A link leads there: the files of a target are reached from their root without any"),
            _ => throw HostFiles.Failure(errno, path, "Could not open the directory"),
        };
    }

    /// <summary>What was said of what is in it, by its own name.</summary>
    public string Plain(string message) => message.Replace(Path + "/", _name + "/", StringComparison.Ordinal);

    public void Dispose()
    {
        if (_handle >= 0)
        {
            _ = LibC.Close(_handle);
        }
    }

    private HeldDirectory Make(string name)
    {
        string path = System.IO.Path.Join(_name, name);
        try
        {
            Directory.CreateDirectory(System.IO.Path.Join(Path, name));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ImageException(ImageErrorKind.Io, path, Plain(e.Message).ReplaceLineEndings(" "), e);
        }

        HostFiles.SyncDirectory(Path);
        return Below(name) ?? throw new ImageException(ImageErrorKind.NotFound, path, "It was made and is gone");
    }
}
