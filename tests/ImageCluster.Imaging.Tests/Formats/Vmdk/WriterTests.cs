using System.Text;
using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Vmdk;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>Writing in place: against a byte array, in turn with qemu-io, and what is refused.</summary>
public sealed class WriterTests
{
    private const int Grain = 65536;

    // Three tables and a half grain, so that tables, their borders and the disk's last part are all met.
    private const int DiskSize = (96 << 20) + (Grain / 2) + 512;

    // No step touches more than this behind its place.
    private const int Reach = 8 * Grain;

    private enum Kind
    {
        Write,
        Zero,
        Discard,
        Flush,
        Reopen,
    }

    private sealed record Step(Kind Kind, long Offset, int Length, byte Value);

    private static readonly long[] Places = [0, Grain, 5 * Grain, (32 << 20) - Grain, 32 << 20, (64 << 20) + Grain, DiskSize - Grain - 512];

    private static readonly Gen<Step> Steps =
        from kind in Gen.OneOf(Kind.Write, Kind.Write, Kind.Write, Kind.Zero, Kind.Discard, Kind.Flush, Kind.Reopen)
        from place in Gen.Int[0, Places.Length - 1]
        from delta in Gen.OneOf(Gen.Const(0), Gen.Int[0, 3].Select(static i => i * Grain), Gen.Int[0, 2 * Grain])
        from length in Gen.OneOf(Gen.Int[1, 5000], Gen.Int[1, 3].Select(static i => i * Grain), Gen.Int[1, 3 * Grain])
        from value in Gen.Byte[1, 255]
        select new Step(kind, Places[place] + delta, length, value);

    [Theory]
    [InlineData("monolithicSparse", false)]
    [InlineData("monolithicSparse", true)]
    [InlineData("monolithicSparse,zeroed_grain=on", false)]
    [InlineData("monolithicSparse,zeroed_grain=on", true)]
    [InlineData("twoGbMaxExtentSparse", false)]
    [InlineData("monolithicFlat", false)]
    public void Any_sequence_of_changes_leaves_the_bytes_of_a_byte_array(string options, bool withBacking)
    {
        byte[] model = new byte[DiskSize];
        byte[] below = new byte[DiskSize];
        Steps.List[1, 40].Holds(steps => Check(steps, options, withBacking, model, below), cases: 60);
    }

    private static void Check(List<Step> steps, string options, bool withBacking, byte[] model, byte[] below)
    {
        MemoryLocator files = new();
        VmdkFormat format = new();
        foreach (long place in Places)
        {
            model.AsSpan((int)place, (int)Math.Min(Reach, DiskSize - place)).Clear();
            below.AsSpan((int)place, (int)Math.Min(Reach, DiskSize - place)).Clear();
        }

        if (withBacking)
        {
            format.Create(FillTests.Request(files, "base.vmdk", DiskSize, "monolithicSparse"));
            using LayeredDisk @base = Open(files, "base.vmdk");
            foreach (long place in Places)
            {
                below.AsSpan((int)place, Math.Min(2 * Grain, DiskSize - (int)place)).Fill(0xBB);
                @base.Write(place, below.AsSpan((int)place, Math.Min(2 * Grain, DiskSize - (int)place)));
            }

            @base.Flush();
            foreach (long place in Places)
            {
                int length = (int)Math.Min(Reach, DiskSize - place);
                below.AsSpan((int)place, length).CopyTo(model.AsSpan((int)place));
            }
        }

        format.Create(FillTests.Request(files, "disk.vmdk", DiskSize, $"subformat={options}{(withBacking ? ",backing_file=base.vmdk" : "")}"));
        LayeredDisk disk = Open(files, "disk.vmdk");
        try
        {
            foreach (Step step in steps)
            {
                disk = Do(files, disk, step, model, below);
            }

            AssertPlaces(disk, model);
        }
        finally
        {
            disk.Dispose();
        }

        using LayeredDisk again = Open(files, "disk.vmdk");
        AssertPlaces(again, model);
        Assert.Empty(((Reader)again.Top).Check(0).Messages);
        AssertTablesAgree(again.Top);
    }

    [SkippableTheory]
    [InlineData("monolithicSparse")]
    [InlineData("monolithicSparse,zeroed_grain=on")]
    [InlineData("monolithicFlat")]
    [InlineData("twoGbMaxExtentSparse")]
    [InlineData("twoGbMaxExtentFlat")]
    public void In_turn_with_qemu_io(string subformat)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        const long border = 2L << 30;
        const long size = border + (1 << 20) + 512;
        QemuTools.Img("create", "-f", "vmdk", "-o", $"subformat={subformat}", temp["disk.vmdk"], size.ToString());
        using (VmdkImages.Local.Create(temp["model.raw"], size, OpenMode.ReadWrite))
        {
        }

        Random random = new(subformat.Length);
        for (int round = 0; round < 3; round++)
        {
            List<string> commands = [];
            for (int i = 0; i < 6; i++)
            {
                (long offset, int length) = Range(random, border, size);
                string command = random.Next(3) == 0 ? $"write -z {offset} {length}" : $"write -P {random.Next(1, 255)} {offset} {length}";
                commands.Add(command);
            }

            QemuTools.Io(temp["model.raw"], "raw", [.. commands]);
            QemuTools.Io(temp["disk.vmdk"], "vmdk", [.. commands]);

            using LayeredDisk disk = VmdkImages.OpenChain(temp["disk.vmdk"], write: true);
            using IBlockFile model = VmdkImages.Local.Open(temp["model.raw"], OpenMode.ReadWrite);
            for (int i = 0; i < 6; i++)
            {
                (long offset, int length) = Range(random, border, size);
                byte[] data = new byte[length];
                if (random.Next(3) == 0)
                {
                    disk.WriteZeroes(offset, length, random.Next(2) == 0 ? ZeroMode.MayUnmap : ZeroMode.KeepAllocated);
                }
                else
                {
                    random.NextBytes(data);
                    disk.Write(offset, data);
                }

                model.Write(offset, data);
            }

            disk.Flush();
        }

        QemuTools.Img("check", "-f", "vmdk", temp["disk.vmdk"]);
        QemuTools.Img("compare", "-f", "raw", "-F", "vmdk", temp["model.raw"], temp["disk.vmdk"]);
    }

    [SkippableFact]
    public void A_stream_of_qemu_img_takes_each_grain_once()
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        QemuTools.Img("create", "-f", "vmdk", "-o", "subformat=streamOptimized", temp["disk.vmdk"], "1000448");
        byte[] guest = GuestContent.Make(1000448, 77);
        using (LayeredDisk disk = VmdkImages.OpenChain(temp["disk.vmdk"], write: true))
        {
            for (int at = 0; at < guest.Length; at += 3 * Grain)
            {
                disk.Write(at, guest.AsSpan(at, Math.Min(3 * Grain, guest.Length - at)));
            }

            ImageException error = VmdkImages.Fails(() => disk.Write(0, guest.AsSpan(0, Grain)));
            Assert.Equal("Could not write to allocated cluster for streamOptimized", error.Message);
        }

        File.WriteAllBytes(temp["guest.raw"], guest);
        QemuTools.Img("compare", "-f", "raw", "-F", "vmdk", temp["guest.raw"], temp["disk.vmdk"]);
    }

    [Fact]
    public void Only_a_first_write_changes_the_content_id_and_nothing_else_of_the_descriptor()
    {
        MemoryLocator files = new();
        new VmdkFormat().Create(FillTests.Request(files, "disk.vmdk", 1 << 20, "monolithicFlat"));
        string before = Encoding.UTF8.GetString(files["disk.vmdk"])
            .Replace("\nddb.adapterType", "\nddb.longContentID = \"0123456789abcdef0123456789abcdef\"\nddb.adapterType", StringComparison.Ordinal);
        files["disk.vmdk"] = Encoding.UTF8.GetBytes(before);

        Open(files, "disk.vmdk").Dispose();
        Assert.Equal(before, Encoding.UTF8.GetString(files["disk.vmdk"]));

        uint id;
        using (LayeredDisk disk = Open(files, "disk.vmdk"))
        {
            uint old = ((Reader)disk.Top).ContentId;
            disk.Write(0, [1]);
            id = ((Reader)disk.Top).ContentId;
            disk.Write(1, [1]);
            Assert.Equal(id, ((Reader)disk.Top).ContentId);
            Assert.NotEqual(old, id);
        }

        string after = Encoding.UTF8.GetString(files["disk.vmdk"]);
        string[] old1 = before.Split('\n');
        string[] new1 = after.Split('\n');
        Assert.Equal(old1.Length, new1.Length);
        Assert.Equal($"CID={id:x8}", new1[2]);
        for (int i = 0; i < old1.Length; i++)
        {
            if (i != 2 && !old1[i].StartsWith("ddb.long", StringComparison.Ordinal))
            {
                Assert.Equal(old1[i], new1[i]);
            }
        }

        Assert.Contains($"ddb.longContentID = \"0123456789abcdef01234567{id:x8}\"", new1);
    }

    [Fact]
    public void Threads_write_different_grains_at_once()
    {
        MemoryLocator files = new();
        new VmdkFormat().Create(FillTests.Request(files, "disk.vmdk", 64 << 20, "monolithicSparse"));
        using (LayeredDisk disk = Open(files, "disk.vmdk"))
        {
            Parallel.For(0, 600, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
            {
                byte[] data = new byte[Grain];
                data.AsSpan().Fill((byte)(i + 1));
                disk.Write((long)i * Grain, data);
                if (i % 50 == 0)
                {
                    disk.Flush();
                }
            });
        }

        using LayeredDisk again = Open(files, "disk.vmdk");
        byte[] read = new byte[Grain];
        for (int i = 0; i < 600; i++)
        {
            again.Read((long)i * Grain, read);
            Assert.Equal(-1, read.AsSpan().IndexOfAnyExcept((byte)(i + 1)));
        }
    }

    [Fact]
    public void What_was_discarded_shows_the_parent_again_and_gives_its_space_back()
    {
        MemoryLocator files = new();
        VmdkFormat format = new();
        format.Create(FillTests.Request(files, "base.vmdk", 1 << 20, "monolithicSparse"));
        using (LayeredDisk @base = Open(files, "base.vmdk"))
        {
            @base.Write(Grain, Filled(Grain, 0xBB));
        }

        format.Create(FillTests.Request(files, "disk.vmdk", 1 << 20, "subformat=monolithicSparse,backing_file=base.vmdk"));
        using LayeredDisk disk = Open(files, "disk.vmdk");
        disk.Write(Grain, Filled(Grain, 1));
        disk.Flush();
        long before = files.Store("disk.vmdk").AllocatedBytes;
        disk.WritableTop.Discard(Grain, Grain);
        disk.Flush();
        Assert.Equal(ExtentKind.Absent, disk.Top.Map(Grain, 1).Kind);
        byte[] read = new byte[Grain];
        disk.Read(Grain, read);
        Assert.Equal(Filled(Grain, 0xBB), read);
        Assert.Equal(before - Grain, files.Store("disk.vmdk").AllocatedBytes);
    }

    [Theory]
    [InlineData("RDONLY 2048 FLAT \"disk-flat.vmdk\" 0", "RDONLY")]
    public void An_extent_that_is_read_only_is_not_opened_for_writing(string line, string reason)
    {
        MemoryLocator files = new();
        new VmdkFormat().Create(FillTests.Request(files, "disk.vmdk", 1 << 20, "monolithicFlat"));
        files["disk.vmdk"] = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(files["disk.vmdk"]).Replace("RW 2048 FLAT \"disk-flat.vmdk\" 0", line, StringComparison.Ordinal));
        VmdkImages.Open(files, "disk.vmdk").Dispose();
        Assert.Contains(reason, VmdkImages.Fails(() => VmdkImages.Open(files, "disk.vmdk", write: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_grain_that_overlaps_the_metadata_is_not_written()
    {
        MemoryLocator files = new();
        new VmdkFormat().Create(FillTests.Request(files, "disk.vmdk", 1 << 20, "monolithicSparse"));
        SparseLayout layout = new(1 << 20);
        files.Store("disk.vmdk").Write(layout.TableOffset(0), [2, 0, 0, 0]);
        byte[] before = files["disk.vmdk"];
        using LayeredDisk disk = Open(files, "disk.vmdk");
        Assert.Equal(ImageErrorKind.Corrupt, VmdkImages.Fails(() => disk.Write(0, Filled(512, 9))).Kind);
        Assert.Equal(before[1024..], files["disk.vmdk"][1024..]);
    }

    [Fact]
    public void A_table_that_the_directory_lacks_is_added()
    {
        MemoryLocator files = new();
        new VmdkFormat().Create(FillTests.Request(files, "disk.vmdk", 64 << 20, "monolithicSparse"));
        SparseLayout layout = new(64 << 20);
        files.Store("disk.vmdk").Write((layout.DirectorySector * 512) + 4, new byte[4]);
        files.Store("disk.vmdk").Write((layout.RedundantDirectorySector * 512) + 4, new byte[4]);
        using (LayeredDisk disk = Open(files, "disk.vmdk"))
        {
            Assert.Equal(new Extent(32 << 20, 32 << 20, ExtentKind.Absent), disk.Top.Map(32 << 20, 32 << 20));
            disk.Write(40 << 20, Filled(Grain, 3));
        }

        using LayeredDisk again = Open(files, "disk.vmdk");
        byte[] read = new byte[Grain];
        again.Read(40 << 20, read);
        Assert.Equal(Filled(Grain, 3), read);
        AssertTablesAgree(again.Top);
    }

    internal static LayeredDisk Open(IFileLocator files, string name) =>
        new ChainOpener(files).Open(name, new ChainOptions { Mode = OpenMode.ReadWrite });

    private static byte[] Filled(int length, byte value)
    {
        byte[] bytes = new byte[length];
        bytes.AsSpan().Fill(value);
        return bytes;
    }

    private static LayeredDisk Do(MemoryLocator files, LayeredDisk disk, Step step, byte[] model, byte[] below)
    {
        int offset = (int)Math.Min(step.Offset, DiskSize - 1);
        int length = Math.Min(step.Length, DiskSize - offset);
        Span<byte> part = model.AsSpan(offset, length);
        switch (step.Kind)
        {
            case Kind.Write:
                part.Fill(step.Value);
                disk.Write(offset, part);
                break;
            case Kind.Zero:
                part.Clear();
                disk.WriteZeroes(offset, length, step.Value % 2 == 0 ? ZeroMode.MayUnmap : ZeroMode.KeepAllocated);
                break;
            case Kind.Discard:
                // Whole units, or up to the disk's end: they show what lies below again.
                int from = (offset + Grain - 1) / Grain * Grain;
                int to = offset + length == DiskSize ? DiskSize : (offset + length) / Grain * Grain;
                if (to > from)
                {
                    disk.WritableTop.Discard(from, to - from);
                    below.AsSpan(from..to).CopyTo(model.AsSpan(from));
                }

                break;
            case Kind.Flush:
                disk.Flush();
                break;
            default:
                disk.Dispose();
                return Open(files, "disk.vmdk");
        }

        return disk;
    }

    private static void AssertPlaces(LayeredDisk disk, byte[] model)
    {
        foreach (long place in Places)
        {
            byte[] read = new byte[Math.Min(Reach, model.Length - place)];
            disk.Read(place, read);
            VmdkImages.AssertSame(model.AsSpan((int)place, read.Length), read, $"from {place}:");
        }
    }

    private static (long Offset, int Length) Range(Random random, long border, long size)
    {
        int length = random.Next(1, random.Next(2) == 0 ? 300 : 5) * 512;
        long offset = random.Next(3) switch
        {
            0 => random.NextInt64(4096) * 512,
            1 => border - (random.NextInt64(300) * 512),
            _ => size - (random.NextInt64(1, 300) * 512),
        };
        return (offset, (int)Math.Min(length, size - offset));
    }

    // The redundant tables say what the tables say.
    private static void AssertTablesAgree(IImageLayer layer)
    {
        foreach (SparseExtent extent in ((Reader)layer).Extents.OfType<SparseExtent>())
        {
            SparseDirectory redundant = new(extent.File!, (long)extent.Header!.RedundantDirectoryOffset * 512, extent.Header.TableCount, 512,
                extent.Header.Flags.HasFlag(SparseFlags.ZeroedGrains));
            for (long table = 0; table < extent.Header.TableCount; table++)
            {
                GrainTable a = extent.Directory.Find(table)!;
                GrainTable b = redundant.Find(table)!;
                for (int i = 0; i < a.Count; i++)
                {
                    Assert.Equal(a[i], b[i]);
                }
            }
        }
    }
}
