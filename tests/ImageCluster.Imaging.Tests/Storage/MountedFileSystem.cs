using ImageCluster.Testing.Storage;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Tests.Storage;

/// <summary>A small file system of a kind that the machine does not stand on; skips the test where mounting is not allowed.</summary>
internal sealed class MountedFileSystem : IDisposable
{
    private readonly TempDirectory _directory = new();

    private MountedFileSystem() => Directory.CreateDirectory(Path);

    public string Path => _directory["mounted"];

    /// <summary>Memory, so many bytes.</summary>
    public static MountedFileSystem Tmpfs(int bytes)
    {
        MountedFileSystem mounted = new();
        mounted.Mount("a full disk", "-t", "tmpfs", "-o", $"size={bytes}", "tmpfs");
        return mounted;
    }

    /// <summary>ext2 in blocks of 1 KiB: it has holes but no fallocate at all.</summary>
    public static MountedFileSystem Ext2(int bytes)
    {
        MountedFileSystem mounted = new();
        string image = mounted._directory["ext2"];
        using (SafeFileHandle handle = File.OpenHandle(image, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.SetLength(handle, bytes);
        }

        if (LoopDevice.Run("/sbin/mke2fs", "-q", "-F", "-t", "ext2", "-b", "1024", image).ExitCode != 0)
        {
            mounted.Dispose();
            Skip.If(true, "a file system without fallocate: mke2fs (Debian: e2fsprogs) is not installed");
        }

        mounted.Mount("a file system without fallocate", "-t", "ext2", "-o", "loop", image);
        return mounted;
    }

    public void Dispose()
    {
        if (Directory.Exists(Path))
        {
            // Lazily: a program that another test starts just now may hold its copy of a file for a moment.
            LoopDevice.Run("umount", "-l", Path);
        }

        _directory.Dispose();
    }

    private void Mount(string what, params string[] arguments)
    {
        if (Environment.UserName != "root" || LoopDevice.Run("mount", [.. arguments, Path]).ExitCode != 0)
        {
            _directory.Dispose();
            Skip.If(true, $"{what}: mounting is not allowed here");
        }
    }
}
