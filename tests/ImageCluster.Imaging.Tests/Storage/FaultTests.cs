using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage;

/// <summary>The failing fakes themselves.</summary>
public sealed class FaultTests
{
    [Fact]
    public void TheNthCallFailsOnce()
    {
        MemoryLocator memory = new();
        FaultPlan plan = FaultPlan.FailCall(StorageCall.Write, 2, ImageErrorKind.NoSpace);
        using IBlockFile file = FakeLocator.Failing(memory, plan).Create("a", 0, OpenMode.ReadWrite);

        file.Write(0, [1]);
        Assert.False(plan.Fired);
        ImageException failure = Assert.Throws<ImageException>(() => file.Write(1, [2]));
        Assert.Equal((ImageErrorKind.NoSpace, 28, "a"), (failure.Kind, failure.Errno, failure.File));
        Assert.True(plan.Fired);
        file.Write(1, [3]);
        file.Flush();
        Assert.Equal([1, 3], memory["a"]);
    }

    [Theory]
    [InlineData(StorageCall.Read)]
    [InlineData(StorageCall.Write)]
    [InlineData(StorageCall.WriteZeroes)]
    [InlineData(StorageCall.Discard)]
    [InlineData(StorageCall.SetLength)]
    [InlineData(StorageCall.Allocate)]
    [InlineData(StorageCall.Flush)]
    [InlineData(StorageCall.NextRange)]
    [InlineData(StorageCall.Length)]
    public void EachCallCanFailAndIsCounted(StorageCall call)
    {
        CallCounts counts = new();
        FaultPlan plan = FaultPlan.FailCall(call, 1);
        using CountingFile file = new CountingFile(new FailingFile(new MemoryFile("a", [1, 2, 3]), plan), counts);
        Dictionary<StorageCall, Action> calls = new()
        {
            [StorageCall.Read] = () => file.Read(0, new byte[1]),
            [StorageCall.Write] = () => file.Write(0, [1]),
            [StorageCall.WriteZeroes] = () => file.WriteZeroes(0, 1, ZeroMode.MayUnmap),
            [StorageCall.Discard] = () => file.Discard(0, 1),
            [StorageCall.SetLength] = () => file.SetLength(2),
            [StorageCall.Allocate] = () => file.Allocate(0, 1),
            [StorageCall.Flush] = file.Flush,
            [StorageCall.NextRange] = () => file.NextRange(0, 1),
            [StorageCall.Length] = () => _ = file.Length,
        };

        foreach ((StorageCall other, Action make) in calls)
        {
            if (other != call)
            {
                make();
            }
        }

        Assert.False(plan.Fired);
        ImageException failure = Assert.Throws<ImageException>(calls[call]);
        Assert.Equal(ImageErrorKind.Io, failure.Kind);
        Assert.All(calls.Keys, each => Assert.Equal(1, counts[each]));
        Assert.Equal(1, counts.BytesWritten);
    }

    [Fact]
    public void ADeadDiskStaysDeadForAllItsFiles()
    {
        MemoryLocator memory = new();
        FaultPlan plan = FaultPlan.DieAtFlush(2);
        FakeLocator locator = FakeLocator.Failing(memory, plan);
        using IBlockFile a = locator.Create("a", 0, OpenMode.ReadWrite);
        using IBlockFile b = locator.Create("b", 0, OpenMode.ReadWrite);
        a.Flush();
        b.Write(0, [1]);
        Assert.Throws<ImageException>(b.Flush);
        Assert.Throws<ImageException>(() => a.Write(0, [1]));
        Assert.Throws<ImageException>(() => a.Read(0, new byte[1]));
        Assert.Throws<ImageException>(b.Flush);
        Assert.Empty(memory["a"]);
    }

    [Fact]
    public void AWriteCanBeTorn()
    {
        MemoryLocator memory = new();
        FaultPlan plan = FaultPlan.FailCall(StorageCall.Write, 1, torn: true);
        using IBlockFile file = FakeLocator.Failing(memory, plan).Create("a", 4, OpenMode.ReadWrite);
        Assert.Throws<ImageException>(() => file.Write(0, [1, 2, 3, 4]));
        Assert.Equal([1, 2, 0, 0], memory["a"]);
    }

    [Fact]
    public void ADiskFillsUp()
    {
        using FailingFile file = new FailingFile(new MemoryFile(), FaultPlan.FullAfter(10));
        file.Write(0, new byte[10]);
        Assert.Equal(ImageErrorKind.NoSpace, Assert.Throws<ImageException>(() => file.Write(10, [1])).Kind);
        Assert.Equal(ImageErrorKind.NoSpace, Assert.Throws<ImageException>(() => file.Write(10, [1])).Kind);
        Assert.Equal(10, file.Read(0, new byte[20]));
        file.Flush();
    }

    [Fact]
    public void FakesCombine()
    {
        // A fault in front of a disk that crashes: what reached the disk before the fault and was flushed is there.
        CrashLocator disk = new();
        FakeLocator locator = FakeLocator.Failing(disk, FaultPlan.DieAtFlush(2));
        using IBlockFile file = locator.Create("a", 0, OpenMode.ReadWrite);
        file.Write(0, [1]);
        file.Flush();
        file.Write(0, [2]);
        Assert.Throws<ImageException>(file.Flush);
        Assert.Equal([1], disk.AfterCrash(disk.Instants)["a"]);
    }
}
