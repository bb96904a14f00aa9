using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage;

/// <summary>Every storage against the same model.</summary>
public sealed class FileModelTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Memory() => FileModel.Check(() => new MemoryFile(), 200);

    [Theory]
    [InlineData(CacheMode.Writeback, 60)]
    [InlineData(CacheMode.Writethrough, 5)]
    [InlineData(CacheMode.None, 40)]
    [InlineData(CacheMode.DirectSync, 5)]
    [InlineData(CacheMode.Unsafe, 20)]
    public void LocalFiles(CacheMode cache, int iterations) => FileModel.Check(() => Create(_directory["a"], cache), iterations);

    [SkippableTheory]
    [InlineData(CacheMode.Writeback)]
    [InlineData(CacheMode.None)]
    public void FilesOfTmpfs(CacheMode cache)
    {
        Skip.IfNot(Directory.Exists("/dev/shm"), "there is no tmpfs at /dev/shm");
        using TempDirectory directory = new("/dev/shm");
        try
        {
            Create(directory["a"], cache).Dispose();
        }
        catch (ImageException e) when (cache == CacheMode.None && e.Kind == ImageErrorKind.Unsupported)
        {
            Skip.If(true, "this kernel's tmpfs has no O_DIRECT");
        }

        FileModel.Check(() => Create(directory["a"], cache), 40);
    }

    [SkippableTheory]
    [InlineData(CacheMode.Writeback)]
    [InlineData(CacheMode.None)]
    public void FilesWhereThereIsNoFallocate(CacheMode cache)
    {
        using MountedFileSystem ext2 = MountedFileSystem.Ext2(4 << 20);
        FileModel.Check(() => Create(Path.Join(ext2.Path, "a"), cache), 40);
    }

    [SkippableTheory]
    [InlineData(CacheMode.Writeback)]
    [InlineData(CacheMode.None)]
    public void BlockDevices(CacheMode cache)
    {
        using LoopDevice device = LoopDevice.Make(_directory["disk"], 64 << 10);
        LocalFileLocator locator = new();
        FileModel.Check(
            () =>
            {
                IBlockFile file = locator.Open(device.Path, OpenMode.ReadWrite with { Cache = cache });
                file.WriteZeroes(0, file.Length, ZeroMode.KeepAllocated);
                return file;
            },
            20);
    }

    private static IBlockFile Create(string path, CacheMode cache) =>
        new LocalFileLocator().Create(path, 0, OpenMode.ReadWrite with { Cache = cache });
}
