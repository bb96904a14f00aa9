using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Tests.Formats.Filling;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>
/// One target filled as the cluster fills it: shards by several processes in any order, each in batches of room of its own, attempts that are lost,
/// an owner that starts anew; and what a crash leaves of it.
/// </summary>
public sealed class FillClusterTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("cluster_size=512", false, 150_000_128)]
    [InlineData("cluster_size=4k", false, 200_000_000)]
    [InlineData("cluster_size=4k", true, 150_000_128)]
    [InlineData("cluster_size=1k,refcount_bits=1", true, 70_000_128)]
    [InlineData("cluster_size=2k,refcount_bits=64,compression_type=zstd", true, 70_000_128)]
    [InlineData("cluster_size=16k,extended_l2=on", false, 150_000_128)]
    [InlineData("cluster_size=16k,extended_l2=on", true, 150_000_128)]
    [InlineData("cluster_size=1k,compat=0.10", false, 130_000_384)]
    [InlineData("", false, 1_700_000_256)]
    [InlineData("", true, 1_700_000_256)]
    public void ShardsOfManyWorkersMakeAGoodImage(string options, bool compress, long size)
    {
        QemuTools.Require();
        LocalFileLocator files = new();
        string image = _directory["a.qcow2"];
        CreateRequest request = FillHelper.Request(files, image, size, compress, options);
        Random random = new(options.Length + (int)(size % 1000));
        SparseModel content = new(size, random);
        List<ShardManifest> journal = [];
        long highWater;
        using (IFillTarget owner = new Qcow2Format().CreateFill(request))
        using (IFillTarget one = new Qcow2Format().OpenFill(request))
        using (IFillTarget two = new Qcow2Format().OpenFill(request))
        {
            Assert.True(owner.ShardsIndependent);
            Assert.True(owner.UnwrittenIsZero);
            highWater = owner.Room.HighWater;
            long[] shards = [.. Enumerable.Range(0, (int)((size + owner.ShardLength - 1) / owner.ShardLength)).Select(i => (long)i)];
            random.Shuffle(shards);
            foreach (long shard in shards)
            {
                for (bool lost = true; lost;)
                {
                    BatchRoom room = new(() => highWater, reserved => highWater = reserved);
                    IFillTarget worker = random.Next(2) == 0 ? one : two;
                    ShardManifest? manifest = content.FillShard(worker, shard, room);
                    lost = random.Next(4) == 0;
                    if (manifest is not null && !lost)
                    {
                        worker.Flush();
                        journal.Add(manifest);
                    }
                }
            }
        }

        // The owner starts anew and hears everything again, some of it twice.
        using (IFillTarget owner = new Qcow2Format().OpenFill(request))
        {
            owner.Room.SkipTo(highWater);
            foreach (ShardManifest manifest in journal.Concat(journal.Take(2)))
            {
                owner.Publish(manifest);
            }

            owner.Finish();
        }

        QemuTools.Img("check", "-q", "-f", "qcow2", image);
        using LayeredDisk disk = Qcow2TestImages.OpenChain(image);
        content.AssertSame(disk);
    }

    [SkippableTheory]
    [InlineData("", false)]
    [InlineData("compat=0.10", false)]
    [InlineData("extended_l2=on,cluster_size=16k", false)]
    [InlineData("cluster_size=8k", true)]
    [InlineData("extended_l2=on,preallocation=metadata", false)]
    public void ZerosOverABackingFileAreStated(string options, bool compress)
    {
        QemuTools.Require();
        string top = _directory["top.qcow2"];
        QemuTools.Img("create", "-q", "-f", "qcow2", _directory["base.qcow2"], "3000832");
        QemuTools.Io(_directory["base.qcow2"], "qcow2", "write -P 0xbb 0 3000832");
        byte[] content = GuestContent.Make(3_000_832, options.Length, 200_000);
        string all = "backing_file=base.qcow2,backing_fmt=qcow2" + (options.Length > 0 ? "," + options : "");
        using (IFillTarget target = new Qcow2Format().CreateFill(FillHelper.Request(new LocalFileLocator(), top, content.Length, compress, all)))
        {
            Assert.False(target.UnwrittenIsZero);
            using FillRun run = new() { StateZeroes = true };
            run.StartZero(0, 1 << 20);
            content.AsSpan(0, 1 << 20).Clear();
            target.Prepare(run);
            target.Reserve(run, target.Room);
            target.Write(run);
            for (int at = 1 << 20; at < content.Length; at += run.Length)
            {
                run.StartData(at, Math.Min(256 << 10, content.Length - at));
                content.AsSpan(at, run.Length).CopyTo(run.Data);
                target.Prepare(run);
                target.Reserve(run, target.Room);
                target.Write(run);
            }

            target.Publish(target.CloseShard(0)!);
            target.Finish();
        }

        QemuTools.Img("check", "-q", "-f", "qcow2", top);
        File.WriteAllBytes(_directory["expected.raw"], content);
        QemuTools.Img("compare", "-q", "-f", "raw", "-F", "qcow2", _directory["expected.raw"], top);
        Qcow2TestImages.AssertSame(content, Qcow2TestImages.ReadAll(top));
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("cluster_size=512", false)]
    [InlineData("backing_file=LONG,backing_fmt=qcow2", true)]
    public void AfterACrashTheFileIsNoImageOrAWholeOne(string options, bool compress)
    {
        byte[] content = GuestContent.Make(1_000_448, 9, 100_000);
        CrashLocator disk = new(new MemoryLocator());
        options = options.Replace("LONG", new string('b', 900));
        FillHelper.Fill(disk, "a", content, compress, options);
        int whole = 0;
        int none = 0;
        foreach (int instant in disk.FlushPoints)
        {
            for (int seed = -1; seed < 12; seed++)
            {
                MemoryLocator after = seed < 0 ? disk.AfterCrash(instant) : disk.AfterCrash(instant, seed);
                byte[] head = new byte[512];
                if (after.Exists("a"))
                {
                    using IBlockFile file = after.Open("a", OpenMode.ReadOnly);
                    file.ReadPadded(0, head);
                }

                if (new Qcow2Format().Probe(head, "a") == 0)
                {
                    none++;
                    continue;
                }

                whole++;
                using IImageLayer layer = new Qcow2Format().Open(new OpenContext { File = after.Open("a", OpenMode.ReadOnly), FileName = "a", Locator = after });
                Assert.Equal(options.Length > 900 ? new string('b', 900) : null, layer.Backing?.Name);
                byte[] bytes = new byte[content.Length];
                using LayeredDisk reader = new(layer);
                reader.Read(0, bytes);
                Qcow2TestImages.AssertSame(content, bytes);
            }
        }

        Assert.True(none > 0 && whole > 0);
    }

    [Fact]
    public void AnUnfinishedTargetIsNoImage()
    {
        MemoryLocator files = new();
        byte[] content = GuestContent.Make(1 << 20, 1, 100_000);
        using IFillTarget target = new Qcow2Format().CreateFill(FillHelper.Request(files, "a", content.Length, false, ""));
        target.Publish(FillHelper.FillShard(target, 0, content, target.Room)!);
        target.Flush();
        Assert.Equal(0, new Qcow2Format().Probe(files["a"].AsSpan(0, 512), "a"));
        ImageException e = Assert.Throws<ImageException>(() => new Qcow2Format().Open(new OpenContext { File = files.Open("a", OpenMode.ReadOnly), FileName = "a", Locator = files }));
        Assert.Equal(ImageErrorKind.NotThisFormat, e.Kind);
    }

    [Fact]
    public void AManyTebibyteTargetWithFewClustersCostsLittle()
    {
        MemoryLocator files = new();
        const long Size = 60L << 40;
        long before = GC.GetAllocatedBytesForCurrentThread();
        using (IFillTarget target = new Qcow2Format().CreateFill(FillHelper.Request(files, "a", Size, false, "")))
        {
            using FillRun run = new();
            for (int i = 0; i < 5; i++)
            {
                long at = i * (Size / 5);
                run.StartData(at, 65536);
                run.Data.Fill((byte)(i + 1));
                target.Prepare(run);
                target.Reserve(run, target.Room);
                target.Write(run);
                target.Publish(target.CloseShard(at / target.ShardLength)!);
            }

            target.Finish();
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 24 << 20);
        using IImageLayer layer = new Qcow2Format().Open(new OpenContext { File = files.Open("a", OpenMode.ReadOnly), FileName = "a", Locator = files });
        Assert.Equal(5, Qcow2TestImages.MapAll(layer).Count(e => e.Kind == ExtentKind.Data));
    }

    [Theory]
    [InlineData("preallocation=metadata", "Compression and preallocation not supported at the same time")]
    [InlineData("data_file=d", "Compression is not supported with an external data file")]
    public void CompressionIsRefusedWhereClustersHaveTheirPlace(string options, string message)
    {
        MemoryLocator files = new();
        ImageException e = Assert.Throws<ImageException>(() => new Qcow2Format().CreateFill(FillHelper.Request(files, "a", 1 << 20, true, options)));
        Assert.Equal(message, e.Message);
        Assert.Empty(files.Names);
    }
}
