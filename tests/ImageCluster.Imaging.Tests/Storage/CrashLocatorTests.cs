using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage;

/// <summary>The crashing fake itself: what it keeps, what it may keep, what it must not.</summary>
public sealed class CrashLocatorTests
{
    [Fact]
    public void OnlyWhatWasFlushedIsThere()
    {
        CrashLocator disk = new(new MemoryLocator { ["a"] = [9, 9] });
        using (IBlockFile file = disk.Open("a", OpenMode.ReadWrite))
        {
            file.Write(0, [1]);
            file.Flush();
            file.Write(1, [2, 3]);
        }

        // write, flush, write
        Assert.Equal(3, disk.Instants);
        Assert.Equal([1, 3], disk.FlushPoints);
        Assert.Equal([9, 9], disk.AfterCrash(0)["a"]);
        Assert.Equal([9, 9], disk.AfterCrash(1)["a"]);
        Assert.Equal([1, 9], disk.AfterCrash(2)["a"]);
        Assert.Equal([1, 9], disk.AfterCrash(3)["a"]);
        using IBlockFile now = disk.Open("a", OpenMode.ReadOnly);
        Assert.Equal(3, now.Length);
    }

    [Fact]
    public void AFlushIsOfOneFile()
    {
        CrashLocator disk = new();
        using IBlockFile a = disk.Create("a", 0, OpenMode.ReadWrite);
        using IBlockFile b = disk.Create("b", 0, OpenMode.ReadWrite);
        a.Write(0, [1]);
        b.Write(0, [2]);
        b.Flush();

        MemoryLocator after = disk.AfterCrash(disk.Instants);
        Assert.Empty(after["a"]);
        Assert.Equal([2], after["b"]);
    }

    [Theory]
    [InlineData(CacheMode.Writethrough)]
    [InlineData(CacheMode.DirectSync)]
    public void WritethroughNeedsNoFlush(CacheMode cache)
    {
        CrashLocator disk = new();
        using IBlockFile file = disk.Create("a", 0, OpenMode.ReadWrite with { Cache = cache });
        file.Write(0, [1]);
        Assert.Equal([1], disk.AfterCrash(disk.Instants)["a"]);
    }

    [Fact]
    public void UnsafeFlushesNothing()
    {
        CrashLocator disk = new();
        using IBlockFile file = disk.Create("a", 0, OpenMode.ReadWrite with { Cache = CacheMode.Unsafe });
        file.Write(0, [1]);
        file.Flush();
        Assert.Empty(disk.AfterCrash(disk.Instants)["a"]);
    }

    [Fact]
    public void AnyPartOfTheRestMaySurvive()
    {
        CrashLocator disk = new(new MemoryLocator { ["a"] = new byte[2048] });
        using IBlockFile file = disk.Open("a", OpenMode.ReadWrite);
        file.Write(0, Filled(1, 2048));
        file.Write(0, Filled(2, 2048));

        HashSet<string> seen = [];
        for (int seed = 0; seed < 8000; seed++)
        {
            byte[] content = disk.AfterCrash(disk.Instants, seed)["a"];
            Assert.Equal(2048, content.Length);
            for (int sector = 0; sector < 4; sector++)
            {
                // A sector is of one piece: as it was, the first write or the second.
                Assert.InRange(content[sector * 512], 0, 2);
                Assert.Equal(-1, content.AsSpan(sector * 512, 512).IndexOfAnyExcept(content[sector * 512]));
            }

            seen.Add($"{content[0]}{content[512]}{content[1024]}{content[1536]}");
        }

        Assert.Equal(81, seen.Count);
        Assert.Equal(disk.AfterCrash(2, 7)["a"], disk.AfterCrash(2, 7)["a"]);
    }

    [Fact]
    public void ALengthMayComeWithoutItsDataAndTheOtherWayRound()
    {
        CrashLocator disk = new(new MemoryLocator { ["a"] = Filled(9, 512) });
        using IBlockFile file = disk.Open("a", OpenMode.ReadWrite);
        file.Write(512, Filled(1, 1024));
        HashSet<(int, byte)> seen = [];
        for (int seed = 0; seed < 500; seed++)
        {
            byte[] content = disk.AfterCrash(disk.Instants, seed)["a"];
            Assert.Contains(content.Length, new[] { 512, 1024, 1536 });
            Assert.Equal(9, content[0]);
            seen.Add((content.Length, content[^1]));
        }

        Assert.Subset(seen, new HashSet<(int, byte)> { (512, 9), (1536, 0), (1536, 1), (1024, 1) });
        file.Flush();
        Assert.Equal(1536, disk.AfterCrash(disk.Instants, 1)["a"].Length);
    }

    [Fact]
    public void CutsZerosAndDiscardsSurviveOrNot()
    {
        CrashLocator disk = new(new MemoryLocator { ["a"] = Filled(9, 8192) });
        using IBlockFile file = disk.Open("a", OpenMode.ReadWrite);
        file.WriteZeroes(0, 512, ZeroMode.MayUnmap);
        file.Discard(4096, 4096);
        file.SetLength(6000);

        HashSet<(int, byte, byte)> seen = [];
        for (int seed = 0; seed < 500; seed++)
        {
            byte[] content = disk.AfterCrash(disk.Instants, seed)["a"];
            seen.Add((content.Length, content[0], content[5000]));
        }

        Assert.Equal(8, seen.Count);
        Assert.Equal(Filled(9, 8192), disk.AfterCrash(disk.Instants)["a"]);
    }

    [Fact]
    public void ATerabyteOfZerosIsQuick()
    {
        CrashLocator disk = new();
        using IBlockFile file = disk.Create("a", 1L << 40, OpenMode.ReadWrite);
        file.WriteZeroes(0, 1L << 40, ZeroMode.MayUnmap);
        Assert.InRange(disk.AfterCrash(disk.Instants, 3).Store("a").Length, 0, 1L << 40);
    }

    [Fact]
    public void NamesAreDurableAtOnce()
    {
        CrashLocator disk = new(new MemoryLocator { ["old"] = [1] });
        disk.Create("new", 10, OpenMode.ReadWrite).Dispose();
        disk.Delete("old");

        MemoryLocator after = disk.AfterCrash(disk.Instants);
        Assert.Equal(["/new"], after.Names);
        Assert.Empty(after["new"]);
        Assert.Equal(["/old"], disk.AfterCrash(0).Names);
    }

    private static byte[] Filled(byte value, int length)
    {
        byte[] bytes = new byte[length];
        bytes.AsSpan().Fill(value);
        return bytes;
    }
}
