using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage.Native;

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
        LocalFile file = new LocalOpening(name, path, mode).Open();
        string? refusal = (ImagePath.ProtocolOf(name), file is LocalBlockDevice) switch
        {
            ("host_device", false) => $"'host_device' driver requires '{path}' to be either a character or block device",
            ("file", true) => $"'file' driver requires '{path}' to be a regular file",
            _ => null,
        };
        if (refusal is not null)
        {
            file.Dispose();
            throw new ImageException(ImageErrorKind.InvalidArgument, name, refusal);
        }

        return file;
    }

    /// <summary>What the path leads to is a block or character device.</summary>
    public static bool IsDevice(string path) => HostFile.IsDevice(path);

    /// <inheritdoc/>
    /// <remarks>A block device keeps its length, which must suffice; its first sector is zeroed, as QEMU does, lest an older image be found there.</remarks>
    public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (name.Length == 0)
        {
            throw new ImageException(ImageErrorKind.NotFound, name, "Could not create '': No such file or directory");
        }

        LocalOpening opening = new(name, PathOf(name), mode with { Write = true });
        return !mustBeNew && HostFile.IsDevice(PathOf(name)) ? StandingTarget.Take("host_device", length, opening.Open) : opening.Create(length, mustBeNew);
    }

    /// <summary>True for anything that has that name, a directory too.</summary>
    public bool Exists(string name)
    {
        string? path = ImagePath.ToLocal(name);
        return path is { Length: > 0 } && HostFile.Exists(path);
    }

    public string Combine(string referrer, string reference) => ImagePath.Combine(referrer, reference);

    /// <inheritdoc/>
    /// <remarks>An absolute path. Where a part of it is not there, the rest stays as it is named.</remarks>
    public string Canonical(string name) => CanonicalPath.Of(PathOf(name), name);

    /// <inheritdoc/>
    /// <remarks>
    /// Of a symbolic link, the link. What is no regular file (a device, or a link to one) is refused, as QEMU does: an image that could not
    /// be made on a device must not cost the device its name.
    /// </remarks>
    public void Delete(string name)
    {
        string path = PathOf(name);
        if (HostFile.TypeOf(path) is { } type and not FileType.Regular)
        {
            int errno = type == FileType.Directory ? Errno.IsDir : Errno.Inval;
            throw new ImageException(ImageErrorKind.Io, name, $"Could not remove '{name}': it is not a regular file") { Errno = errno };
        }

        // What is not there need not be removed.
        if (HostFile.IsLinux && HostFile.Remove(path) is not (0 or Errno.NoEnt or Errno.NotDir) and var problem)
        {
            throw Errno.Exception(problem, name, $"Could not remove '{name}'");
        }

        if (!HostFile.IsLinux)
        {
            DeletePortable(path, name);
        }
    }

    private static void DeletePortable(string path, string name)
    {
        try
        {
            File.Delete(path);
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

    private static ImageException Unknown(string name, string scheme) =>
        new(ImageErrorKind.Unsupported, name, UnsupportedDrivers.RefusalOfScheme(scheme) ?? $"Unknown protocol '{scheme}'");

    private static string PathOf(string name)
    {
        string path = ImagePath.ToLocal(name) ?? throw Unknown(name, ImagePath.ProtocolOf(name)!);
        if (path.Length == 0)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, name, "The 'file' block driver requires a file name");
        }

        return path.Contains('\0')
            ? throw new ImageException(ImageErrorKind.InvalidArgument, name, "The file name contains a zero byte")
            : path;
    }
}
