using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage;

public sealed class BlockDeviceTests : IDisposable
{
    private const int Size = 1 << 20;

    private readonly TempDirectory _directory = new();
    private readonly LocalFileLocator _locator = new();

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public void HasAFixedLength()
    {
        using LoopDevice device = LoopDevice.Make(_directory["disk"], Size);
        using IBlockFile file = _locator.Open("host_device:" + device.Path, OpenMode.ReadWrite);

        Assert.Equal(Size, file.Length);
        Assert.False(file.CanResize);
        Assert.True(file.CanWrite);
        Assert.Equal(0, file.AllocatedBytes);
        file.SetLength(Size / 2);
        Assert.Equal(Size, file.Length);
        Assert.Equal("Cannot grow device files", Assert.Throws<ImageException>(() => file.SetLength(Size + 1)).Message);
        Assert.Equal(ImageErrorKind.NoSpace, Assert.Throws<ImageException>(() => file.Write(Size - 1, [1, 2])).Kind);
        Assert.Equal(10, file.Read(Size - 10, new byte[20]));
        Assert.Equal(0, file.Read(Size + 10, new byte[20]));
        Assert.Equal((Size, false), file.NextRange(0, Size));
    }

    [SkippableTheory]
    [InlineData(CacheMode.Writeback)]
    [InlineData(CacheMode.None)]
    public void ZeroesAndDiscards(CacheMode cache)
    {
        using LoopDevice device = LoopDevice.Make(_directory["disk"], Size);
        using IBlockFile file = _locator.Open(device.Path, OpenMode.ReadWrite with { Cache = cache });
        byte[] model = new byte[Size];
        new Random(3).NextBytes(model);
        file.Write(0, model);
        file.Flush();
        long full = AllocatedOf(_directory["disk"]);

        // Punching first: over a file of tmpfs, which cannot zero what it keeps, Linux gives up all zeroing by the device once it was asked for that.
        file.WriteZeroes(400_001, 300_000, ZeroMode.MayUnmap);
        model.AsSpan(400_001, 300_000).Clear();
        file.WriteZeroes(1001, 300_000, ZeroMode.KeepAllocated);
        model.AsSpan(1001, 300_000).Clear();
        file.WriteZeroes(900_000, 5, ZeroMode.MayUnmap);
        model.AsSpan(900_000, 5).Clear();
        file.Discard(800_001, 100);
        file.Flush();

        byte[] content = new byte[Size];
        Assert.Equal(Size, file.Read(0, content));
        Assert.Equal(model, content);
        Assert.InRange(AllocatedOf(_directory["disk"]), 0, full - 290_000);
    }

    [SkippableFact]
    public void CreatingKeepsTheDeviceAndForgetsTheOldImage()
    {
        using LoopDevice device = LoopDevice.Make(_directory["disk"], Size);
        using (IBlockFile file = _locator.Open(device.Path, OpenMode.ReadWrite))
        {
            file.Write(0, [.. Enumerable.Repeat((byte)9, 1024)]);
        }

        using IBlockFile created = _locator.Create(device.Path, Size / 2, OpenMode.ReadWrite);
        byte[] content = new byte[1024];
        created.ReadExactly(0, content, "start");
        Assert.Equal(512, content.Count(b => b == 0));
        Assert.Equal(Size, created.Length);
        created.Dispose();

        ImageException refused = Assert.Throws<ImageException>(() => _locator.Create(device.Path, Size + 1, OpenMode.ReadWrite));
        Assert.Equal("Cannot grow device files", refused.Message);
    }

    [SkippableFact]
    public void ACharacterDeviceIsEmptyAsInQemu()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "character devices: not Linux");
        using IBlockFile file = _locator.Open("/dev/zero", OpenMode.ReadOnly);

        Assert.Equal(0, file.Length);
        Assert.Equal(0, file.Read(0, new byte[512]));
    }

    [SkippableFact]
    public void APipeIsRefusedWithoutWaiting()
    {
        Skip.IfNot(LoopDevice.Run("mkfifo", _directory["pipe"]).ExitCode == 0, "pipes: there is no mkfifo");
        ImageException refused = Assert.Throws<ImageException>(() => _locator.Open(_directory["pipe"], OpenMode.ReadOnly));
        Assert.Equal($"'file' driver requires '{_directory["pipe"]}' to be a regular file", refused.Message);
        Assert.Throws<ImageException>(() => _locator.Open(_directory["pipe"], OpenMode.ReadWrite));
    }

    private long AllocatedOf(string path)
    {
        using IBlockFile file = _locator.Open(path, OpenMode.ReadOnly with { Lock = ImageLock.None });
        return file.AllocatedBytes;
    }
}
