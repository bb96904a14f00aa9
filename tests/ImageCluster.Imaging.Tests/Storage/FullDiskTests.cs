using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage;

/// <summary>No room, on the file's own file system and below a device.</summary>
public sealed class FullDiskTests
{
    private readonly LocalFileLocator _locator = new();

    [SkippableFact]
    public void SaysThatThereIsNoRoom()
    {
        using MountedFileSystem full = MountedFileSystem.Tmpfs(1 << 20);
        string path = Path.Join(full.Path, "a");
        using IBlockFile file = _locator.Create(path, 10 << 20, OpenMode.ReadWrite);

        AssertFull(path, () => file.Allocate(0, 2 << 20));
        AssertFull(path, () => file.WriteZeroes(0, 2 << 20, ZeroMode.KeepAllocated));
        file.WriteZeroes(0, 10 << 20, ZeroMode.MayUnmap);
        byte[] data = new byte[64 << 10];
        AssertFull(path, () =>
        {
            for (long offset = 0; offset < 2 << 20; offset += data.Length)
            {
                file.Write(offset, data);
            }
        });
        Assert.Equal(10 << 20, file.Length);
    }

    [SkippableFact]
    public void AFailedFlushIsNeverFollowedByAGoodOne()
    {
        // A device whose backing file cannot grow: writes reach the page cache and fail on their way out of it. The kernel says so once.
        using MountedFileSystem full = MountedFileSystem.Tmpfs(1 << 20);
        using LoopDevice device = LoopDevice.Make(Path.Join(full.Path, "disk"), 8 << 20);
        using IBlockFile file = _locator.Open(device.Path, OpenMode.ReadWrite);
        byte[] data = new byte[4 << 20];
        data.AsSpan().Fill(1);
        file.Write(0, data);

        ImageException first = Assert.Throws<ImageException>(file.Flush);
        ImageException second = Assert.Throws<ImageException>(file.Flush);
        Assert.StartsWith("Could not flush to storage: ", first.Message, StringComparison.Ordinal);
        Assert.Equal(first.Message, second.Message);
        Assert.NotEqual(0, second.Errno);
    }

    private static void AssertFull(string path, Action write)
    {
        ImageException full = Assert.Throws<ImageException>(write);
        Assert.Equal(ImageErrorKind.NoSpace, full.Kind);
        Assert.Equal(28, full.Errno);
        Assert.Equal(path, full.File);
        Assert.EndsWith(": No space left on device", full.Message, StringComparison.Ordinal);
    }
}
