using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Raw;
using ImageCluster.Imaging.Formats.Vmdk;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>What we convert, qemu-img finds equal and clean; the layout is qemu-img's; and nothing is an image before it is finished.</summary>
public sealed class FillTests
{
    public static TheoryData<string, int> Contents() => ReaderTests.Contents();

    [SkippableTheory]
    [MemberData(nameof(Contents))]
    public void What_we_convert_qemu_img_reads(string subformat, int size)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        byte[] guest = VmdkImages.Guest((size + 511) & -512, size);
        File.WriteAllBytes(temp["source.raw"], guest);
        Convert(temp["source.raw"], temp["disk.vmdk"], subformat, threads: 3);
        QemuTools.Img("compare", "-f", "raw", "-F", "vmdk", temp["source.raw"], temp["disk.vmdk"]);
        QemuTools.Img("check", "-f", "vmdk", temp["disk.vmdk"]);
        VmdkImages.AssertSame(guest, VmdkImages.ReadAll(temp["disk.vmdk"]));
    }

    [SkippableTheory]
    [InlineData("monolithicSparse", "disk.vmdk")]
    [InlineData("twoGbMaxExtentSparse", "disk-s001.vmdk")]
    [InlineData("monolithicFlat", "disk-flat.vmdk")]
    public void The_layout_is_that_of_qemu_img_at_any_number_of_threads(string subformat, string file)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        File.WriteAllBytes(temp["source.raw"], VmdkImages.Guest((34 << 20) + 512, 7));
        string theirs = Directory.CreateDirectory(temp["theirs"]).FullName;
        QemuTools.Img("convert", "-O", "vmdk", "-o", $"subformat={subformat}", temp["source.raw"], Path.Combine(theirs, "disk.vmdk"));
        foreach (int threads in (int[])[1, 4])
        {
            Convert(temp["source.raw"], temp["disk.vmdk"], subformat, threads);
            byte[] expected = File.ReadAllBytes(Path.Combine(theirs, file));
            byte[] actual = File.ReadAllBytes(temp[file]);
            if (file == "disk.vmdk")
            {
                // The descriptor, with its random content id.
                expected.AsSpan(512, 1024).Clear();
                actual.AsSpan(512, 1024).Clear();
            }

            VmdkImages.AssertSame(expected, actual, $"{threads} threads:");
        }
    }

    [SkippableTheory]
    [MemberData(nameof(VmdkImages.SubformatData), MemberType = typeof(VmdkImages))]
    public void Data_on_both_sides_of_extent_borders_arrives(string subformat)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        const long size = (5L << 30) + 1024;
        List<(long Offset, byte[] Bytes)> islands = [];
        Random random = new(5);
        foreach (long border in (long[])[1 << 16, 512L << 20, 2L << 30, 4L << 30, size])
        {
            byte[] bytes = new byte[border == size ? 70_000 : 140_000];
            random.NextBytes(bytes);
            islands.Add((border == size ? size - bytes.Length : border - (border > 1 << 16 ? 70_000 : 0), bytes));
        }

        using (IBlockFile raw = VmdkImages.Local.Create(temp["source.raw"], size, OpenMode.ReadWrite))
        {
            islands.ForEach(island => raw.Write(island.Offset, island.Bytes));
        }

        Convert(temp["source.raw"], temp["disk.vmdk"], subformat, threads: 2);
        QemuTools.Img("compare", "-f", "raw", "-F", "vmdk", temp["source.raw"], temp["disk.vmdk"]);
        using LayeredDisk disk = VmdkImages.OpenChain(temp["disk.vmdk"]);
        Assert.Equal(size, disk.VirtualSize);
        foreach ((long offset, byte[] bytes) in islands)
        {
            byte[] read = new byte[bytes.Length];
            disk.Read(offset, read);
            VmdkImages.AssertSame(bytes, read, $"at {offset}:");
        }
    }

    [Theory]
    [MemberData(nameof(VmdkImages.SubformatData), MemberType = typeof(VmdkImages))]
    public void Before_it_is_finished_it_is_no_image(string subformat)
    {
        MemoryLocator files = new();
        byte[] guest = GuestContent.Make(3 << 20, 3);
        CreateRequest request = Request(files, "disk.vmdk", guest.Length, subformat);
        using IFillTarget target = new VmdkFormat().CreateFill(request);
        AssertNoImage(files);
        MemoryLocator sources = new() { ["source.raw"] = guest };
        Converter converter = Converter(sources, "source.raw", target, 1);
        converter.Run(CancellationToken.None);
        target.Flush();
        AssertNoImage(files);
        target.Finish();
        using LayeredDisk disk = new(VmdkImages.Open(files, "disk.vmdk"));
        VmdkImages.AssertSame(guest, VmdkImages.ReadAll(disk));
    }

    [Theory]
    [InlineData("monolithicSparse")]
    [InlineData("twoGbMaxExtentSparse")]
    [InlineData("monolithicFlat")]
    [InlineData("twoGbMaxExtentFlat")]
    public void Shards_filled_by_several_targets_in_any_order_make_one_image(string subformat)
    {
        const long size = (4L << 30) + (700L << 20);
        MemoryLocator sources = new();
        MemoryStore source = new();
        source.SetLength(size);
        sources.Add("source.raw", source);
        Random random = new(11);
        for (int i = 0; i < 40; i++)
        {
            byte[] island = new byte[random.Next(1, 200_000)];
            random.NextBytes(island);
            source.Write(random.NextInt64(size - island.Length), island);
        }

        MemoryLocator files = new();
        CreateRequest request = Request(files, "disk.vmdk", size, subformat);
        VmdkFormat format = new();
        IFillTarget owner = format.CreateFill(request);
        IFillTarget[] workers = [format.OpenFill(request), format.OpenFill(request)];
        long shards = (size + owner.ShardLength - 1) / owner.ShardLength;
        List<ShardManifest> manifests = [];
        foreach (long shard in Enumerable.Range(0, (int)shards).OrderBy(_ => random.Next()))
        {
            // Each worker takes room where the others cannot.
            IFillTarget worker = workers[shard % 2];
            long before = workers.Max(static one => one.Room.HighWater);
            worker.Room.SkipTo(before);
            Converter converter = new(Source(sources, "source.raw"), worker, new ConvertOptions
            {
                Threads = 2,
                ShardClosed = (_, manifest) =>
                {
                    if (manifest is not null)
                    {
                        lock (manifests)
                        {
                            manifests.Add(manifest);
                        }
                    }
                },
            });
            converter.Run(shard, shard + 1, CancellationToken.None);
            worker.Flush();
        }

        foreach (ShardManifest manifest in manifests.Concat(manifests))
        {
            owner.Publish(manifest);
        }

        owner.Finish();
        foreach (IFillTarget target in workers.Append(owner))
        {
            target.Dispose();
        }

        List<RoomExtent> rooms = [.. manifests.SelectMany(static manifest => manifest.Rooms).OrderBy(static room => room.Start)];
        for (int i = 1; i < rooms.Count; i++)
        {
            Assert.True(rooms[i - 1].Start + rooms[i - 1].Length <= rooms[i].Start, "rooms overlap");
        }

        using LayeredDisk disk = new(VmdkImages.Open(files, "disk.vmdk"));
        AssertSameDisks(source, size, disk);
    }

    [SkippableTheory]
    [InlineData("monolithicSparse", false)]
    [InlineData("monolithicSparse", true)]
    [InlineData("twoGbMaxExtentSparse", true)]
    [InlineData("streamOptimized", false)]
    [InlineData("streamOptimized", true)]
    public void Zeros_over_a_backing_file_are_stated(string subformat, bool zeroedGrain)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        byte[] below = VmdkImages.Guest(3 << 20, 21);
        File.WriteAllBytes(temp["base.raw"], below);
        QemuTools.Img("convert", "-O", "vmdk", temp["base.raw"], temp["base.vmdk"]);
        byte[] guest = VmdkImages.Guest(3 << 20, 23);
        File.WriteAllBytes(temp["source.raw"], guest);

        string options = $"subformat={subformat},backing_file=base.vmdk,backing_fmt=vmdk,zeroed_grain={(zeroedGrain ? "on" : "off")}";
        using (IFillTarget target = new VmdkFormat().CreateFill(Request(VmdkImages.Local, temp["disk.vmdk"], guest.Length, options)))
        {
            Assert.False(target.UnwrittenIsZero);
            Converter(VmdkImages.Local, temp["source.raw"], target, 2).Run(CancellationToken.None);
            target.Finish();
        }

        VmdkImages.AssertSame(guest, VmdkImages.ReadAll(temp["disk.vmdk"]));
        QemuTools.Img("compare", "-f", "raw", "-F", "vmdk", temp["source.raw"], temp["disk.vmdk"]);
    }

    [SkippableTheory]
    [MemberData(nameof(VmdkImages.SubformatData), MemberType = typeof(VmdkImages))]
    public void Sparse_size_0_writes_zeros_as_data(string subformat)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        byte[] guest = GuestContent.Make((1 << 20) + 512, 31);
        File.WriteAllBytes(temp["source.raw"], guest);
        using (IFillTarget target = new VmdkFormat().CreateFill(Request(VmdkImages.Local, temp["disk.vmdk"], guest.Length, subformat)))
        {
            new Converter(Source(VmdkImages.Local, temp["source.raw"]), target, new ConvertOptions { SparseSize = 0 }).Run(CancellationToken.None);
            target.Finish();
        }

        QemuTools.Img("compare", "-f", "raw", "-F", "vmdk", temp["source.raw"], temp["disk.vmdk"]);
        using IImageLayer layer = VmdkImages.Open(temp["disk.vmdk"]);
        for (long at = 0; at < layer.VirtualSize; at += 65536)
        {
            Assert.True(layer.Map(at, 1).Kind is ExtentKind.Data or ExtentKind.Compressed);
        }
    }

    [Fact]
    public void A_stream_has_the_same_bytes_at_any_number_of_threads()
    {
        byte[] guest = VmdkImages.Guest((65 << 20) + 512, 41);
        byte[][] streams = [.. ((int[])[1, 2, 4]).Select(threads =>
        {
            MemoryLocator files = new() { ["source.raw"] = guest };
            using IFillTarget target = new VmdkFormat().CreateFill(Request(files, "disk.vmdk", guest.Length, "streamOptimized"));
            new Converter(Source(files, "source.raw"), target, new ConvertOptions { Threads = threads, OutOfOrder = threads == 4 }).Run(CancellationToken.None);
            target.Finish();
            byte[] stream = files["disk.vmdk"];

            // The descriptor, with its random content id.
            stream.AsSpan(512, 1024).Clear();
            return stream;
        })];
        VmdkImages.AssertSame(streams[0], streams[1], "2 threads:");
        VmdkImages.AssertSame(streams[0], streams[2], "4 threads, out of order asked for:");
    }

    [SkippableTheory]
    [MemberData(nameof(VmdkImages.SubformatData), MemberType = typeof(VmdkImages))]
    public void Compression_is_taken_where_qemu_img_takes_it(string subformat)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        File.WriteAllBytes(temp["source.raw"], new byte[1 << 20]);
        ToolResult theirs = QemuTools.TryImg("convert", "-c", "-O", "vmdk", "-o", $"subformat={subformat}", temp["source.raw"], temp["theirs.vmdk"]);
        CreateRequest request = new()
        {
            FileName = temp["ours.vmdk"],
            Locator = VmdkImages.Local,
            VirtualSize = 1 << 20,
            Options = CreatorTests.Parse($"subformat={subformat}"),
            Compress = true,
        };
        if (theirs.ExitCode == 0)
        {
            new VmdkFormat().CreateFill(request).Dispose();
        }
        else
        {
            ImageException error = VmdkImages.Fails(() => new VmdkFormat().CreateFill(request));
            Assert.Equal($"qemu-img: {error.Message}\n", theirs.Error);
        }
    }

    [Fact]
    public void A_stream_cannot_be_continued()
    {
        MemoryLocator files = new();
        CreateRequest request = Request(files, "disk.vmdk", 1 << 20, "streamOptimized");
        VmdkFormat format = new();
        using IFillTarget target = format.CreateFill(request);
        Assert.False(target.ShardsIndependent);
        Assert.Equal(ImageErrorKind.Unsupported, VmdkImages.Fails(() => format.OpenFill(request)).Kind);
    }

    internal static void Convert(string source, string target, string subformat, int threads)
    {
        using IFillTarget fill = new VmdkFormat().CreateFill(Request(VmdkImages.Local, target, new FileInfo(source).Length, subformat));
        Converter(VmdkImages.Local, source, fill, threads).Run(CancellationToken.None);
        fill.Finish();
    }

    internal static CreateRequest Request(IFileLocator locator, string name, long size, string options) => new()
    {
        FileName = name,
        Locator = locator,
        VirtualSize = size,
        Options = CreatorTests.Parse(options.Contains('=') ? options : $"subformat={options}"),
    };

    private static DiskSource Source(IFileLocator locator, string name) =>
        new(new LayeredDisk(new RawFormat().Open(new OpenContext { File = locator.Open(name, OpenMode.ReadOnly), FileName = name, Locator = locator })));

    internal static Converter Converter(IFileLocator locator, string source, IFillTarget target, int threads) =>
        new(Source(locator, source), target, new ConvertOptions { Threads = threads });

    private static void AssertNoImage(MemoryLocator files)
    {
        foreach (string name in files.Names)
        {
            VmdkImages.Fails(() => VmdkImages.Open(files, name));
        }
    }

    private static void AssertSameDisks(MemoryStore expected, long size, LayeredDisk disk)
    {
        Assert.Equal(size, disk.VirtualSize);
        byte[] a = new byte[1 << 20];
        byte[] b = new byte[1 << 20];
        for (long at = 0; at < size; at += a.Length)
        {
            int length = (int)Math.Min(a.Length, size - at);
            (long range, bool hole) = expected.NextRange(at, size - at);
            if (hole && range >= length && disk.Map(at, length) is { Extent: { Kind: ExtentKind.Absent or ExtentKind.Zero, Length: var known } } && known >= length)
            {
                continue;
            }

            expected.Read(at, a.AsSpan(0, length));
            disk.Read(at, b.AsSpan(0, length));
            VmdkImages.AssertSame(a.AsSpan(0, length), b.AsSpan(0, length), $"from {at}:");
        }
    }
}
