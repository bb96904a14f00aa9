using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage;

public sealed class FullDiskTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly bool _mounted;

    public FullDiskTests()
    {
        _mounted = Environment.UserName == "root" && LoopDevice.Run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", _directory.Path).ExitCode == 0;
    }

    public void Dispose()
    {
        if (_mounted)
        {
            LoopDevice.Run("umount", _directory.Path);
        }

        _directory.Dispose();
    }

    [SkippableFact]
    public void SaysThatThereIsNoRoom()
    {
        Skip.IfNot(_mounted, "a full disk: mounting a tmpfs is not allowed here");
        using IBlockFile file = new LocalFileLocator().Create(_directory["a"], 10 << 20, OpenMode.ReadWrite);

        AssertFull(() => file.Allocate(0, 2 << 20));
        AssertFull(() => file.WriteZeroes(0, 2 << 20, ZeroMode.KeepAllocated));
        file.WriteZeroes(0, 10 << 20, ZeroMode.MayUnmap);
        byte[] data = new byte[64 << 10];
        AssertFull(() =>
        {
            for (long offset = 0; offset < 2 << 20; offset += data.Length)
            {
                file.Write(offset, data);
            }
        });
        Assert.Equal(10 << 20, file.Length);
    }

    private void AssertFull(Action write)
    {
        ImageException full = Assert.Throws<ImageException>(write);
        Assert.Equal(ImageErrorKind.NoSpace, full.Kind);
        Assert.Equal(28, full.Errno);
        Assert.Equal(_directory["a"], full.File);
        Assert.EndsWith(": No space left on device", full.Message, StringComparison.Ordinal);
    }
}
