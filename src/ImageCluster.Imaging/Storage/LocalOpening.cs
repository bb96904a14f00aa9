using ImageCluster.Imaging.Storage.Direct;
using ImageCluster.Imaging.Storage.Native;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Storage;

/// <summary>One opening (or creation) of a local file or device: where it may lie, what it is, its locks, its alignment; in this order.</summary>
/// <param name="name">As the caller gave it.</param>
/// <param name="path">Without a protocol's prefix; what QEMU's messages name.</param>
internal sealed class LocalOpening(string name, string path, OpenMode mode)
{
    public LocalFile Open()
    {
        SafeFileHandle handle = OpenHandle(create: false, mustBeNew: false);
        return DisposeOnFailure(handle, () => Wrap(handle, create: false));
    }

    public LocalFile Create(long length, bool mustBeNew)
    {
        // Not truncated by opening: the locks come first.
        SafeFileHandle handle = OpenHandle(create: true, mustBeNew);
        return DisposeOnFailure(handle, () =>
        {
            LocalFile file = Wrap(handle, create: true);
            Empty(file, handle);
            if (length > 0)
            {
                file.SetLength(length);
            }

            return file;
        });
    }

    // ext4 takes a file that was cut to nothing for one that is being replaced: the next close of any descriptor of it writes all its data out
    // (auto_da_alloc). So a file that is empty is not cut, and one that was is closed once while there is nothing to write.
    private static void Empty(LocalFile file, SafeFileHandle handle)
    {
        if (file.Length == 0)
        {
            return;
        }

        file.SetLength(0);
        if (HostFile.IsLinux)
        {
            HostFile.TryOpenAt(null, $"/proc/self/fd/{handle.DangerousGetHandle()}", OpenMode.ReadOnly, create: false, mustBeNew: false, out _)?.Dispose();
        }
    }

    private static LocalFile DisposeOnFailure(SafeFileHandle handle, Func<LocalFile> use)
    {
        try
        {
            return use();
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private SafeFileHandle OpenHandle(bool create, bool mustBeNew)
    {
        string what = $"Could not {(create ? "create" : "open")} '{path}'";
        string canonical = path;
        if (mode.Within is { } roots)
        {
            canonical = CanonicalPath.Of(path, name);
            if (!roots.Contains(canonical))
            {
                throw roots.Refusal(name, canonical);
            }
        }

        if (!HostFile.IsLinux)
        {
            return OpenPortable(canonical, create, mustBeNew, what);
        }

        // Entered by a handle on the directory that is looked at again, so that nobody can put a link in its place in between.
        using SafeFileHandle? directory = mode.Within is null ? null : OpenDirectory(canonical, what);
        string entry = directory is null ? path : Path.GetFileName(canonical);
        SafeFileHandle? handle = HostFile.TryOpenAt(directory, entry, mode, create, mustBeNew, out int errno);
        if (handle is null)
        {
            throw LacksDirectIo(directory, entry, errno)
                ? NoDirectIo($"{what}: filesystem does not support O_DIRECT")
                : Errno.Exception(errno, name, what);
        }

        return handle;
    }

    private SafeFileHandle OpenDirectory(string canonical, string what)
    {
        string parent = Path.GetDirectoryName(canonical) ?? canonical;
        SafeFileHandle directory = HostFile.TryOpenDirectory(parent, out int errno) ?? throw Errno.Exception(errno, name, what);
        if (HostFile.PathOf(directory) is { } real && mode.Within!.Contains(Path.Join(real, Path.GetFileName(canonical))))
        {
            return directory;
        }

        directory.Dispose();
        throw mode.Within!.Refusal(name, canonical);
    }

    private bool LacksDirectIo(SafeFileHandle? directory, string entry, int errno)
    {
        if (errno != Errno.Inval || !HostFile.IsDirect(mode.Cache))
        {
            return false;
        }

        OpenMode buffered = mode with { Cache = CacheMode.Writeback };
        using SafeFileHandle? without = HostFile.TryOpenAt(directory, entry, buffered, create: false, mustBeNew: false, out _);
        return without is not null;
    }

    private SafeFileHandle OpenPortable(string file, bool create, bool mustBeNew, string what)
    {
        FileMode how = !create ? FileMode.Open : mustBeNew ? FileMode.CreateNew : FileMode.OpenOrCreate;
        FileAccess access = mode.Write ? FileAccess.ReadWrite : FileAccess.Read;
        FileOptions options = HostFile.IsDurable(mode.Cache) ? FileOptions.WriteThrough : FileOptions.None;
        try
        {
            return File.OpenHandle(file, how, access, FileShare.ReadWrite | FileShare.Delete, options);
        }
        catch (Exception e) when (Errno.IsOfSystem(e))
        {
            throw Errno.Exception(e, name, what);
        }
    }

    private LocalFile Wrap(SafeFileHandle handle, bool create)
    {
        if (!HostFile.IsLinux)
        {
            return new LocalFile(name, handle, mode, null);
        }

        if (mode.NativeAio && !HostFile.IsDirect(mode.Cache))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, name, "aio=native was specified, but it requires cache.direct=on, which was not specified.");
        }

        int errno = HostFile.Status(handle, out FileStatus status);
        if (errno != 0)
        {
            throw Errno.Exception(errno, name, $"Could not stat '{path}'");
        }

        bool isDevice = status.Type is FileType.BlockDevice or FileType.CharacterDevice;
        if (!isDevice && status.Type != FileType.Regular)
        {
            throw new ImageException(ImageErrorKind.Io, name, $"'file' driver requires '{path}' to be a regular file") { Errno = Errno.Inval };
        }

        if (mode.Write && status.Type == FileType.BlockDevice && HostFile.IsReadOnlyDevice(handle))
        {
            throw Errno.Exception(Errno.Access, name, "The device is not writable");
        }

        DirectIo? direct = HostFile.IsDirect(mode.Cache) ? OpenDirect(handle, status) : null;
        LocalFile file = isDevice ? new LocalBlockDevice(name, handle, mode, direct) : new LocalFile(name, handle, mode, direct);
        file.Lock(path, mode, create);
        return file;
    }

    private DirectIo OpenDirect(SafeFileHandle handle, FileStatus status)
    {
        if (status.DirectAlignment == 0)
        {
            throw NoDirectIo($"Could not open '{path}': filesystem does not support O_DIRECT");
        }

        int alignment = status.DirectAlignment ?? DirectAlignment.Probe(handle, status.Type) ?? throw NoDirectIo("Could not find working O_DIRECT alignment");
        return new DirectIo(name, handle, alignment, status.DirectMemoryAlignment is > 0 and int memory ? memory : alignment);
    }

    private ImageException NoDirectIo(string message) => new(ImageErrorKind.Unsupported, name, message)
    {
        Errno = Errno.Inval,
        Hint = "Use a cache mode that goes through the page cache, e.g. writeback.",
    };
}
