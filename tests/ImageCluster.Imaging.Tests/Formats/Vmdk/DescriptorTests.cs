using System.Text;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Vmdk;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>Descriptors of every making: VMware's, broken ones, hostile ones.</summary>
public sealed class DescriptorTests
{
    [Fact]
    public void What_VMware_writes_is_understood()
    {
        const string text = "# Disk DescriptorFile\r\nversion=3\r\nencoding=\"windows-1252\"\r\nCID=0a1b2c3d\r\nparentCID=9abcdef0\r\nisNativeSnapshot=\"no\"\r\n" +
            "createType=\"twoGbMaxExtentSparse\"\r\nparentFileNameHint=\"C:\\vm\\W2k.vmdk\"\r\n# Extent description\r\n" +
            "RW 4192256 SPARSE \"W2k-s001.vmdk\"\r\nRW 4192256 SPARSE \"W2k-s002.vmdk\"\r\n\r\n# Change Tracking File\r\nchangeTrackPath=\"W2k-ctk.vmdk\"\r\n\r\n" +
            "# The Disk Data Base \r\n#DDB\r\n\r\nddb.adapterType = \"lsilogic\"\r\nddb.longContentID = \"e1\"\r\n";
        Descriptor descriptor = Descriptor.Parse(Encoding.Latin1.GetBytes(text), "a.vmdk", withExtents: true);
        Assert.Equal(0x0a1b2c3du, descriptor.ContentId);
        Assert.Equal(0x9abcdef0u, descriptor.ParentContentId);
        Assert.Equal("twoGbMaxExtentSparse", descriptor.CreateType);
        Assert.Equal("C:\\vm\\W2k.vmdk", descriptor.ParentFileNameHint);
        Assert.Equal("lsilogic", descriptor.Value("ddb.adapterType"));
        Assert.Equal([new ExtentLine(4192256, ExtentType.Sparse, "W2k-s001.vmdk", 0, false), new ExtentLine(4192256, ExtentType.Sparse, "W2k-s002.vmdk", 0, false)], descriptor.Extents);
    }

    [Theory]
    [InlineData("CID=1\n", "CID=cafebabe\n")]
    [InlineData("cid = 1234abcd\r\nparentCID=ffffffff\r\n", "cid =cafebabe\r\nparentCID=ffffffff\r\n")]
    [InlineData("parentCID=12345678\nCID=12345678", "parentCID=12345678\nCID=cafebabe")]
    [InlineData("# CID=1\nddb.longContentID = \"0123456789abcdef0123456789abcdef\"\n", "# CID=1\nddb.longContentID = \"0123456789abcdef01234567cafebabe\"\n")]
    [InlineData("ddb.longContentID = \"1234\"\n", "ddb.longContentID = \"1234\"\n")]
    [InlineData("\u00e9=\"\u00ff\"\nCID=1\n", "\u00e9=\"\u00ff\"\nCID=cafebabe\n")]
    public void The_content_id_is_replaced_and_nothing_else(string before, string after) =>
        Assert.Equal(Encoding.Latin1.GetBytes(after), Descriptor.WithContentId(Encoding.Latin1.GetBytes(before), 0xCAFEBABE));

    [Theory]
    [InlineData("")]
    [InlineData("CID=1\nparentCID=2\n")]
    [InlineData("CID=1\nparentCID=2\ncreateType=\"monolithicSparse\"\n")]
    [InlineData("CID=1\nparentCID=2\ncreateType=\"fullDevice\"\n")]
    [InlineData("CID=1\ncreateType=\"monolithicFlat\"\n")]
    [InlineData("parentCID=1\ncreateType=\"monolithicFlat\"\n")]
    [InlineData("CID=123456789\nparentCID=2\ncreateType=\"monolithicFlat\"\n")]
    [InlineData("CID=xyz\nparentCID=2\ncreateType=\"monolithicFlat\"\n")]
    [InlineData("CID=1\nparentCID=2\ncreateType=\"monolithicFlat\"\nparentFileNameHint=\"never ends\n")]
    [InlineData("CID=1\nparentCID=2\ncreateType=\"monolithicFlat\n")]
    public void A_descriptor_that_says_too_little_is_refused(string text)
    {
        MemoryLocator files = new() { ["disk.vmdk"] = Encoding.UTF8.GetBytes("# Disk DescriptorFile\nversion=1\n" + text) };
        ImageException error = VmdkImages.Fails(() => VmdkImages.Open(files, "disk.vmdk"));
        Assert.DoesNotContain('\n', error.Message);
        Assert.Equal("disk.vmdk", error.File);
    }

    public static TheoryData<string> RefusedLines => new(
        "RW 2048 FLAT \"flat\"",
        "RW 2048 FLAT \"flat\" -1",
        "RW 2048 FLAT flat 0",
        "RW 2048 FLAT \"\" 0",
        "RW 2048 FLAT \"flat",
        "RW 2048 FLAT",
        "RW 2048",
        "RW x FLAT \"flat\" 0",
        "RW -1 FLAT \"flat\" 0",
        "RW 99999999999999999999 FLAT \"flat\" 0",
        "RW 9223372036854775807 FLAT \"flat\" 0",
        "RW 18014398509481984 FLAT \"flat\" 0",
        "RW 2048 FLAT \"flat\" 18014398509481983",
        "RW 2048 FLAT \"flat\" 99999999999999999999",
        "RW 2048 SPARSE \"flat\" 0",
        "RW 2048 VMFS \"flat\" 0",
        "RW 2048 VMFSRDM \"flat\"",
        "RW 2048 DEVICE \"flat\" 0",
        "RW 2048 flat \"flat\" 0",
        "NOACCESS 2048 FLAT \"flat\" 0",
        "RW 2048 SPARSE \"flat\"",
        "RW 2048 VMFSSPARSE \"flat\"",
        "RW 2048 SESPARSE \"flat\"",
        "RW 2048 FLAT \"missing\" 0",
        "RW 2048 SPARSE \"disk.vmdk\"");

    [Theory]
    [MemberData(nameof(RefusedLines))]
    public void A_wrong_extent_line_is_refused(string line)
    {
        MemoryLocator files = new() { ["flat"] = new byte[1 << 20], ["disk.vmdk"] = EsxImages.Descriptor("monolithicFlat", line) };
        ImageException error = VmdkImages.Fails(() => VmdkImages.Open(files, "disk.vmdk"));
        Assert.DoesNotContain('\n', error.Message);
        Assert.NotEmpty(error.File!);
    }

    [SkippableTheory]
    [InlineData("RW 2048 FLAT \"flat\"")]
    [InlineData("RW 2048 FLAT \"flat\" -1")]
    [InlineData("RW 2048 VMFS \"flat\" 0")]
    [InlineData("RW 2048 SPARSE \"flat\"")]
    [InlineData("RW 9223372036854775807 FLAT \"flat\" 0")]
    [InlineData("RW 2048 FLAT \"missing\" 0")]
    public void The_words_are_those_of_qemu_img(string line)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        File.WriteAllBytes(temp["flat"], new byte[1 << 20]);
        File.WriteAllBytes(temp["disk.vmdk"], EsxImages.Descriptor("monolithicFlat", line));
        ToolResult theirs = QemuTools.TryImg("info", temp["disk.vmdk"]);
        Assert.Equal(1, theirs.ExitCode);
        Assert.Contains(VmdkImages.Fails(() => VmdkImages.Open(temp["disk.vmdk"])).Message, theirs.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Flat_extents_with_offsets_and_zero_extents_make_one_disk()
    {
        byte[] flat = GuestContent.Make(1 << 20, 5);
        MemoryLocator files = new()
        {
            ["dir/flat"] = flat,
            ["dir/disk.vmdk"] = EsxImages.Descriptor("monolithicFlat",
                "RW 100 FLAT \"flat\" 7\n RW 50 ZERO\nRW 0 FLAT \"flat\" 0\nRDONLY 3 FLAT \"flat\" 0 \nRW 5 VMFS \"./flat\"\nRW 2048 FLAT \"flat\" 0 junk"),
        };
        byte[] expected = [.. flat[3584..(3584 + 51200)], .. new byte[25600], .. flat[..1536], .. flat[..2560], .. flat];
        using LayeredDisk disk = new(VmdkImages.Open(files, "dir/disk.vmdk"));
        VmdkImages.AssertSame(expected, VmdkImages.ReadAll(disk));
        Assert.Equal(ExtentKind.Zero, disk.Top.Map(60_000, 1).Kind);
    }

    [Fact]
    public void A_self_referring_flat_extent_reads_the_descriptor_and_ends()
    {
        byte[] text = EsxImages.Descriptor("monolithicFlat", "RW 1 FLAT \"disk.vmdk\" 0");
        MemoryLocator files = new() { ["disk.vmdk"] = text };
        using LayeredDisk disk = new(VmdkImages.Open(files, "disk.vmdk"));
        byte[] read = new byte[text.Length];
        disk.Read(0, read);
        Assert.Equal(text, read);
        Assert.Equal(ImageErrorKind.Truncated, VmdkImages.Fails(() => disk.Read(0, new byte[512])).Kind);
    }

    [Fact]
    public void An_extent_that_only_holds_a_descriptor_is_refused()
    {
        // A header without capacity whose descriptor names the file itself: QEMU goes round until it has no files left.
        byte[] file = new byte[64 << 10];
        new SparseHeader { DescriptorOffset = 1, DescriptorSize = 20, GrainOffset = 128 }.Write(file);
        EsxImages.Descriptor("vmfsSparse", "RW 2048 SPARSE \"disk.vmdk\"").CopyTo(file, 512);
        MemoryLocator files = new() { ["disk.vmdk"] = file };
        ImageException error = VmdkImages.Fails(() => VmdkImages.Open(files, "disk.vmdk"));
        Assert.Equal(ImageErrorKind.Corrupt, error.Kind);
    }

    [Fact]
    public void A_header_without_capacity_carries_the_descriptor_of_other_files()
    {
        byte[] file = new byte[64 << 10];
        new SparseHeader { DescriptorOffset = 1, DescriptorSize = 20, GrainOffset = 128 }.Write(file);
        EsxImages.Descriptor("vmfs", "RW 2048 VMFS \"flat\"").CopyTo(file, 512);
        byte[] flat = GuestContent.Make(1 << 20, 5);
        MemoryLocator files = new() { ["disk.vmdk"] = file, ["flat"] = flat };
        using LayeredDisk disk = new(VmdkImages.Open(files, "disk.vmdk", write: true));
        VmdkImages.AssertSame(flat, VmdkImages.ReadAll(disk));
        uint before = ((Reader)disk.Top).ContentId;
        disk.Write(0, [1, 2, 3]);
        disk.Flush();
        using IImageLayer again = VmdkImages.Open(files, "disk.vmdk");
        Assert.NotEqual(before, ((Reader)again).ContentId);
    }

    [Fact]
    public void Extents_outside_the_policy_are_the_locators_to_refuse()
    {
        using TempDirectory temp = new();
        string root = Directory.CreateDirectory(temp["root"]).FullName;
        File.WriteAllBytes(temp["secret"], new byte[1 << 20]);
        File.CreateSymbolicLink(Path.Combine(root, "link"), temp["secret"]);
        Directory.CreateDirectory(Path.Combine(root, "a"));
        ConfinedLocator confined = new(VmdkImages.Local, root);
        foreach (string name in (string[])["../secret", temp["secret"], "link", "a/../../secret"])
        {
            string path = Path.Combine(root, "disk.vmdk");
            File.WriteAllBytes(path, EsxImages.Descriptor("monolithicFlat", $"RW 2048 FLAT \"{name}\" 0"));
            VmdkImages.Open(path).Dispose();
            Assert.Equal(ImageErrorKind.Policy, VmdkImages.Fails(() => VmdkImages.Open(confined, path)).Kind);
        }
    }

    [Fact]
    public void Thousands_of_extents_open_and_too_many_are_refused()
    {
        MemoryLocator files = new() { ["f"] = GuestContent.Make(1 << 20, 9) };
        files["many.vmdk"] = EsxImages.Descriptor("monolithicFlat", string.Join('\n', Enumerable.Range(0, 5000).Select(static i => $"RW 1 FLAT \"f\" {i % 2048}")));
        using (LayeredDisk disk = new(VmdkImages.Open(files, "many.vmdk")))
        {
            Assert.Equal(5000 * 512, disk.VirtualSize);
            byte[] read = new byte[1024];
            disk.Read(4999 * 512, read.AsSpan(0, 512));
            Assert.Equal(files["f"].AsSpan(4999 % 2048 * 512, 512), read.AsSpan(0, 512));
        }

        files["toomany.vmdk"] = EsxImages.Descriptor("monolithicFlat", string.Concat(Enumerable.Repeat("RW 1 FLAT \"f\" 0\n", VmdkLimits.MaxExtents + 1)));
        Assert.Equal(ImageErrorKind.Limit, VmdkImages.Fails(() => VmdkImages.Open(files, "toomany.vmdk")).Kind);
    }

    [Fact]
    public void A_huge_descriptor_is_read_up_to_the_limit()
    {
        MemoryLocator files = new();
        MemoryStore store = new(EsxImages.Descriptor("monolithicFlat", "RW 2048 FLAT \"f\" 0\n# "));
        long end = store.Length;
        byte[] filler = new byte[1 << 20];
        filler.AsSpan().Fill((byte)'x');
        store.Write(end, filler);
        store.Write(end + filler.Length, "\nRW 1 FLAT \"f\" 0\n"u8);
        store.SetLength(1L << 40);
        files.Add("disk.vmdk", store);
        files["f"] = new byte[1 << 20];
        using IImageLayer layer = VmdkImages.Open(files, "disk.vmdk");
        Assert.Equal(1 << 20, layer.VirtualSize);
    }
}
