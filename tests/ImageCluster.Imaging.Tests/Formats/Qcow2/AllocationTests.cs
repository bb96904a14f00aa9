using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>The hot paths cost no managed memory by clusters. (Time varies; allocated bytes do not.)</summary>
public class AllocationTests
{
    private const int Size = 16 << 20;

    [Theory]
    [InlineData("cluster_size=4k", false)]
    [InlineData("cluster_size=16k,extended_l2=on", false)]
    [InlineData("cluster_size=4k", true)]
    public void ReadingAllocatesNothingByClusters(string options, bool compress)
    {
        MemoryLocator files = new();
        FillHelper.Fill(files, "a", GuestContent.Make(Size, 1, 20_000), compress, options);
        using IImageLayer layer = new Qcow2Format().Open(new OpenContext { File = files.Open("a", OpenMode.ReadOnly), FileName = "a", Locator = files });
        byte[] buffer = new byte[256 << 10];
        long first = ReadAll(layer, buffer);
        // The least of some: the run-time itself allocates now and then.
        long again = Enumerable.Range(0, 3).Min(_ => ReadAll(layer, buffer));

        // The first time tables are loaded.
        Assert.InRange(first, 0, 1 << 20);
        Assert.InRange(again, 0, 4096);
    }

    [Theory]
    [InlineData("cluster_size=4k", false)]
    [InlineData("cluster_size=16k,extended_l2=on", false)]
    [InlineData("cluster_size=4k,compression_type=zstd", true)]
    public void FillingAllocatesNothingByClusters(string options, bool compress)
    {
        byte[] content = GuestContent.Make(Size, 2, 20_000);

        // The least of some: the run-time empties its pools of buffers now and then. A few growing lists, refcount blocks' numbers; 4,096 clusters
        // would cost more than this at 16 bytes each.
        Assert.InRange(Enumerable.Range(0, 3).Min(_ => FillAll(content, options, compress)), 0, 48 << 10);
    }

    private static long FillAll(byte[] content, string options, bool compress)
    {
        using IFillTarget target = new Qcow2Format().CreateFill(FillHelper.Request(new MemoryLocator(), "a", Size, compress, options));
        using FillRun run = new();
        long allocated = 0;
        for (int at = 0; at < Size; at += run.Length)
        {
            run.StartData(at, Math.Min(target.PreferredRunLength, Size - at));
            content.AsSpan(at, run.Length).CopyTo(run.Data);
            long before = GC.GetAllocatedBytesForCurrentThread();
            target.Prepare(run);
            target.Reserve(run, target.Room);
            allocated += at == 0 ? 0 : GC.GetAllocatedBytesForCurrentThread() - before;

            // The memory file allocates for what it holds.
            target.Write(run);
        }

        return allocated;
    }

    private static long ReadAll(IImageLayer layer, byte[] buffer)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (long at = 0; at < layer.VirtualSize;)
        {
            Extent extent = layer.Map(at, Math.Min(buffer.Length, layer.VirtualSize - at));
            if (extent.Kind is ExtentKind.Data or ExtentKind.Compressed)
            {
                layer.Read(extent, buffer.AsSpan(0, (int)extent.Length));
            }

            at = extent.End;
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
