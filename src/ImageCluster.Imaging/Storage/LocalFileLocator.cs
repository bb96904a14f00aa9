using ImageCluster.Imaging.Storage.Direct;
using ImageCluster.Imaging.Storage.Native;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Storage;

/// <summary>
/// The files and block devices of this machine. Names are paths, relative ones from the current directory; QEMU's prefixes <c>file:</c> and
/// <c>host_device:</c> are taken, other protocols refused.
/// </summary>
public sealed class LocalFileLocator : IFileLocator
{
    public IBlockFile Open(string name, OpenMode mode)
    {
        string path = PathOf(name);
        SafeFileHandle handle = OpenHandle(path, mode, create: false, mustBeNew: false);
        try
        {
            return Wrap(name, path, handle, mode);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        mode = mode with { Write = true };
        string path = PathOf(name);
        SafeFileHandle handle = OpenHandle(path, mode, create: true, mustBeNew);
        try
        {
            LocalFile file = Wrap(name, path, handle, mode);
            if (file is LocalBlockDevice device)
            {
                // As QEMU: what an older image left in the first sector must not be found by probing.
                if (length > device.Length)
                {
                    device.SetLength(length);
                }

                device.WriteZeroes(0, Math.Min(512, device.Length), ZeroMode.KeepAllocated);
            }
            else
            {
                file.SetLength(0);
                file.SetLength(length);
            }

            return file;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public bool Exists(string name)
    {
        string? path = ImagePath.ToLocal(name);
        return path is { Length: > 0 } && (File.Exists(path) || Directory.Exists(path));
    }

    public string Combine(string referrer, string reference) => ImagePath.Combine(referrer, reference);

    /// <inheritdoc/>
    /// <remarks>An absolute path. Where a part of it is not there, the rest stays as it is named.</remarks>
    public string Canonical(string name) => CanonicalPath.Of(PathOf(name), name);

    /// <summary>Removes the file; one that is not there is no error.</summary>
    public void Delete(string name)
    {
        try
        {
            File.Delete(PathOf(name));
        }
        catch (DirectoryNotFoundException)
        {
            // Then the file is not there either.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errno.Exception(e, name, $"Could not remove '{name}'");
        }
    }

    private static string PathOf(string name)
    {
        string path = ImagePath.ToLocal(name)
            ?? throw new ImageException(ImageErrorKind.Unsupported, name, $"Unknown protocol '{ImagePath.ProtocolOf(name)}'");
        if (path.Length == 0)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, name, "The 'file' block driver requires a file name");
        }

        return path.Contains('\0')
            ? throw new ImageException(ImageErrorKind.InvalidArgument, name, "The file name contains a zero byte")
            : path;
    }

    private static SafeFileHandle OpenHandle(string path, OpenMode mode, bool create, bool mustBeNew)
    {
        string what = $"Could not {(create ? "create" : "open")} '{path}'";
        if (!HostFile.IsLinux)
        {
            return OpenPortable(path, mode, create, mustBeNew, what);
        }

        SafeFileHandle? handle = HostFile.TryOpen(path, mode, create, mustBeNew, out int errno);
        if (handle is not null)
        {
            return handle;
        }

        if (errno == Errno.Inval && HostFile.IsDirect(mode.Cache))
        {
            using SafeFileHandle? buffered = HostFile.TryOpen(path, mode with { Cache = CacheMode.Writeback }, create: false, false, out int without);
            if (without == 0)
            {
                throw NoDirectIo(path, $"Could not {(create ? "create" : "open")} '{path}': filesystem does not support O_DIRECT");
            }
        }

        throw Errno.Exception(errno, path, what);
    }

    private static ImageException NoDirectIo(string path, string message) =>
        new(ImageErrorKind.Unsupported, path, message) { Errno = Errno.Inval, Hint = "Use a cache mode that goes through the page cache, e.g. writeback" };

    private static SafeFileHandle OpenPortable(string path, OpenMode mode, bool create, bool mustBeNew, string what)
    {
        FileMode how = !create ? FileMode.Open : mustBeNew ? FileMode.CreateNew : FileMode.OpenOrCreate;
        FileAccess access = mode.Write ? FileAccess.ReadWrite : FileAccess.Read;
        FileOptions options = HostFile.IsDurable(mode.Cache) ? FileOptions.WriteThrough : FileOptions.None;
        try
        {
            return File.OpenHandle(path, how, access, FileShare.ReadWrite | FileShare.Delete, options);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errno.Exception(e, path, what);
        }
    }

    private static LocalFile Wrap(string name, string path, SafeFileHandle handle, OpenMode mode)
    {
        if (!HostFile.IsLinux)
        {
            return new LocalFile(name, handle, mode, null);
        }

        int errno = HostFile.Status(handle, out FileStatus status);
        if (errno != 0)
        {
            throw Errno.Exception(errno, path, $"Could not stat '{path}'");
        }

        bool device = status.Type is FileType.BlockDevice or FileType.CharacterDevice;
        if (!device && status.Type != FileType.Regular)
        {
            throw new ImageException(ImageErrorKind.Io, path, $"'file' driver requires '{path}' to be a regular file") { Errno = Errno.Inval };
        }

        DirectIo? direct = HostFile.IsDirect(mode.Cache) ? OpenDirect(path, handle, status) : null;
        return device ? new LocalBlockDevice(name, handle, mode, direct) : new LocalFile(name, handle, mode, direct);
    }

    private static DirectIo OpenDirect(string path, SafeFileHandle handle, FileStatus status)
    {
        if (status.DirectAlignment == 0)
        {
            throw NoDirectIo(path, $"Could not open '{path}': filesystem does not support O_DIRECT");
        }

        int? alignment = status.DirectAlignment ?? DirectAlignment.Probe(handle, status.Type);
        return alignment is int known
            ? new DirectIo(path, handle, known, status.DirectMemoryAlignment is > 0 and int memory ? memory : known)
            : throw NoDirectIo(path, "Could not find working O_DIRECT alignment");
    }
}
