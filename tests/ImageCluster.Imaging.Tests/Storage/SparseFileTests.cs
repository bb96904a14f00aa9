using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage;

/// <summary>Holes and space, on this machine's file systems.</summary>
public sealed class SparseFileTests : IDisposable
{
    private const int Size = 256 << 10;

    private readonly TempDirectory _directory = new();
    private readonly LocalFileLocator _locator = new();

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public void ZeroingGivesSpaceBackOrKeepsIt()
    {
        using IBlockFile file = CreateFull();
        long full = file.AllocatedBytes;
        Assert.InRange(full, Size, 2 * Size);

        file.WriteZeroes(64 << 10, 64 << 10, ZeroMode.KeepAllocated);
        file.Flush();
        Assert.InRange(file.AllocatedBytes, full, 2 * Size);
        AssertZero(file, 64 << 10, 64 << 10);

        file.WriteZeroes(128 << 10, 64 << 10, ZeroMode.MayUnmap);
        Assert.Equal(full - (64 << 10), file.AllocatedBytes);
        AssertZero(file, 128 << 10, 64 << 10);
        Assert.Equal((64 << 10, true), file.NextRange(128 << 10, Size - (128 << 10)));
        Assert.Equal((64 << 10, false), file.NextRange(192 << 10, 64 << 10));
        Assert.Equal(((32 << 10) - 5, true), file.NextRange((160 << 10) + 5, 96 << 10));
    }

    [SkippableFact]
    public void ZeroingAPartOfABlockLeavesTheRest()
    {
        using IBlockFile file = CreateFull();
        file.WriteZeroes(1000, 10_000, ZeroMode.MayUnmap);

        byte[] content = new byte[Size];
        Assert.Equal(Size, file.Read(0, content));
        Assert.Equal(1000, content.AsSpan().IndexOf((byte)0));
        AssertZero(file, 1000, 10_000);
        Assert.False(content.AsSpan(11_000).Contains((byte)0));
    }

    [SkippableTheory]
    [InlineData(ZeroMode.MayUnmap, 65_536 + 100, 0)]
    [InlineData(ZeroMode.MayUnmap, 100_000, 4096)]
    [InlineData(ZeroMode.KeepAllocated, 65_536 + 100, 65_536)]
    public void ZeroingPastTheEndExtends(ZeroMode mode, int length, int growth)
    {
        using IBlockFile file = CreateFull();
        long full = file.AllocatedBytes;
        file.WriteZeroes(Size - 100, length, mode);
        file.Flush();

        Assert.Equal(Size - 100 + length, file.Length);
        AssertZero(file, Size - 100, length);
        Assert.Equal(full + growth, file.AllocatedBytes);
    }

    [SkippableFact]
    public void DiscardAndAllocate()
    {
        using IBlockFile file = CreateFull();
        long full = file.AllocatedBytes;
        file.Discard(0, 64 << 10);
        Assert.Equal(full - (64 << 10), file.AllocatedBytes);
        Assert.Equal(Size, file.Length);
        file.Discard(Size - 4096, 1 << 20);
        Assert.Equal(Size, file.Length);

        file.Allocate(0, 2 * Size);
        Assert.Equal(2 * Size, file.Length);
        Assert.InRange(file.AllocatedBytes, 2 * Size, 3 * Size);
        AssertZero(file, Size, Size);
        byte[] kept = new byte[4096];
        Assert.Equal(4096, file.Read(100 << 10, kept));
        Assert.False(kept.Contains((byte)0));
    }

    [SkippableFact]
    public void AllocatesByWritingZerosWhereThereIsNoFallocate()
    {
        using MountedFileSystem ext2 = MountedFileSystem.Ext2(4 << 20);
        using IBlockFile file = _locator.Create(Path.Join(ext2.Path, "a"), Size, OpenMode.ReadWrite);
        file.Write(100_000, [1, 2, 3]);
        file.Flush();
        Assert.InRange(file.AllocatedBytes, 1024, 32 << 10);

        file.Allocate(0, 2 * Size);
        file.Flush();

        Assert.Equal(2 * Size, file.Length);
        Assert.InRange(file.AllocatedBytes, 2 * Size, 3 * Size);
        byte[] kept = new byte[5];
        file.ReadExactly(99_999, kept, "what was there");
        Assert.Equal([0, 1, 2, 3, 0], kept);
    }

    [SkippableFact]
    public void AHugeFileCostsNothing()
    {
        SkipUnlessHoles();
        using IBlockFile file = _locator.Create(_directory["a"], 1L << 40, OpenMode.ReadWrite);
        file.WriteZeroes(0, 1L << 40, ZeroMode.MayUnmap);
        Assert.Equal(0, file.AllocatedBytes);
        file.Write((1L << 39) + 1, [7]);
        file.Flush();

        (long hole, bool isHole) = file.NextRange(0, 1L << 40);
        Assert.True(isHole);
        Assert.InRange(hole, (1L << 39) - 65_536, 1L << 39);
        Assert.Equal(0, file.NextRange((1L << 39) + 65_536, 1).Length - 1);
        Assert.True(file.NextRange((1L << 39) + 65_536, 1 << 20).IsHole);
    }

    [Fact]
    public void MemoryHasHolesToo()
    {
        using MemoryFile file = new();
        file.SetLength(1L << 40);
        file.Write(1L << 39, [1]);

        Assert.Equal(MemoryStore.BlockSize, file.AllocatedBytes);
        Assert.Equal((1L << 39, true), file.NextRange(0, 1L << 40));
        Assert.Equal((MemoryStore.BlockSize, false), file.NextRange(1L << 39, 1L << 39));
        file.WriteZeroes(1L << 39, MemoryStore.BlockSize, ZeroMode.KeepAllocated);
        Assert.False(file.NextRange(1L << 39, 1).IsHole);
        file.WriteZeroes(0, 1L << 40, ZeroMode.MayUnmap);
        Assert.Equal((1L << 40, true), file.NextRange(0, 1L << 40));
    }

    [SkippableFact]
    public void RangesAreCopiedInTheKernel()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "copy_file_range: not Linux");
        using IBlockFile source = CreateFull();
        using IBlockFile target = _locator.Create(_directory["b"], 0, OpenMode.ReadWrite);
        IRangeCopy copier = Assert.IsAssignableFrom<IRangeCopy>(target);

        Assert.True(copier.TryCopyFrom(source, 1000, 77, 100_000));
        byte[] expected = new byte[100_000];
        byte[] actual = new byte[100_000];
        source.ReadExactly(1000, expected, "source");
        target.ReadExactly(77, actual, "target");
        Assert.Equal(expected, actual);
        Assert.Equal(100_077, target.Length);

        Assert.False(copier.TryCopyFrom(source, Size - 10, 0, 20));
        using MemoryFile other = new();
        Assert.False(copier.TryCopyFrom(other, 0, 0, 10));
    }

    private static void SkipUnlessHoles() => Skip.IfNot(OperatingSystem.IsLinux(), "holes: not Linux");

    private IBlockFile CreateFull()
    {
        SkipUnlessHoles();
        IBlockFile file = _locator.Create(_directory["a"], 0, OpenMode.ReadWrite);
        byte[] content = new byte[Size];
        new Random(1).NextBytes(content);
        content.AsSpan().Replace((byte)0, (byte)1);
        file.Write(0, content);

        // Space is counted when it is given out, which is at the latest now.
        file.Flush();
        return file;
    }

    private static void AssertZero(IBlockFile file, long offset, int length)
    {
        byte[] content = new byte[length];
        content.AsSpan().Fill(1);
        file.ReadExactly(offset, content, "zeros");
        Assert.False(content.AsSpan().ContainsAnyExcept((byte)0));
    }
}
