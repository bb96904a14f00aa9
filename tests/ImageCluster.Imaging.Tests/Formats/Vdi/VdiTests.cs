using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vdi;

public sealed class VdiTests() : WritableFormatTests("vdi")
{
    private const int BlockMapAt = 0x200;
    private const int BlocksAllocatedAt = 0x184;

    protected override IReadOnlyList<string> OptionSets { get; } = ["", "static=on"];

    protected override string? SevenZipType => "VDI";

    protected override int MetadataLength => 0x300;

    protected override void Normalize(byte[] image) => image.AsSpan(0x188, 0x20).Clear();

    protected override IEnumerable<Field> Fields(byte[] image) =>
    [
        new("signature", 0x40, 4),
        new("version", 0x44, 4),
        new("header size", 0x48, 4),
        new("type", 0x4c, 4),
        new("block map offset", 0x154, 4),
        new("data offset", 0x158, 4),
        new("sector size", 0x168, 4),
        new("disk size", 0x170, 8),
        new("block size", 0x178, 4),
        new("block extra", 0x17c, 4),
        new("blocks in image", 0x180, 4),
        new("blocks allocated", BlocksAllocatedAt, 4),
        new("link UUID", 0x1a8, 4),
        new("parent UUID", 0x1bc, 4),
        new("entry", BlockMapAt, 4),
    ];

    protected override IEnumerable<int> Boundaries(byte[] image) => [BlockMapAt, BlockMapAt + 4, 0x400, 0x400 + (1 << 20), 0x400 + (2 << 20) + 512];

    // The count in the header goes first, so that no block is taken twice.
    protected override bool MayCrashLeave(string finding) =>
        finding.Contains("leaked blocks", StringComparison.Ordinal) || finding.Contains("allocated blocks mismatch", StringComparison.Ordinal);

    [SkippableFact]
    public void CheckFindsWhatQemuFinds()
    {
        QemuTools.Require();
        byte[] image = SmallImage(out _);
        byte[][] broken =
        [
            image,
            DamagedImages.With(image, BlocksAllocatedAt, 77),
            DamagedImages.With(image, BlockMapAt + 4, 0),
            DamagedImages.With(image, BlockMapAt + 8, 5000),
            DamagedImages.With(DamagedImages.With(image, BlockMapAt + 8, 0), BlockMapAt + 12, 9999),
        ];
        foreach (byte[] bad in broken)
        {
            File.WriteAllBytes(this["bad"], bad);
            ToolResult qemu = QemuTools.TryImg("check", "-f", "vdi", this["bad"]);
            using LayeredDisk disk = Kit.Open(this["bad"], forCheck: true);
            CheckReport report = ((ICheckable)disk.Top).Check(CheckRepair.None);
            string[] expected = [.. qemu.Error.Split('\n').Where(line => line.StartsWith("ERROR", StringComparison.Ordinal))];
            Assert.Equal(expected, report.Messages.Where(message => !message.Contains("leaked", StringComparison.Ordinal)));
            Assert.Equal(expected.Length, report.Corruptions);
        }
    }

    [SkippableFact]
    public void CheckRepairsEntriesAndClosesGaps()
    {
        QemuTools.Require();
        byte[] guest = GuestContent.Make(9 << 20, 3);
        new Random(1).NextBytes(guest.AsSpan(0, 8 << 20));
        Kit.Fill(this["ours"], guest);
        byte[] image = File.ReadAllBytes(this["ours"]);

        // Block 2 is given up, so its room leaks; block 5 shares block 6's room; block 7 points nowhere; the count is wrong.
        image = DamagedImages.With(image, BlockMapAt + 8, uint.MaxValue);
        image = DamagedImages.With(image, BlockMapAt + 20, 6);
        image = DamagedImages.With(image, BlockMapAt + 28, 12345);
        image = DamagedImages.With(image, BlocksAllocatedAt, 3);
        guest.AsSpan(2 << 20, 1 << 20).Clear();
        guest.AsSpan(6 << 20, 1 << 20).CopyTo(guest.AsSpan(5 << 20));
        guest.AsSpan(7 << 20, 1 << 20).Clear();
        File.WriteAllBytes(this["ours"], image);
        using (LayeredDisk disk = Kit.Open(this["ours"], write: true, forCheck: true))
        {
            CheckReport report = ((ICheckable)disk.Top).Check(CheckRepair.All);
            Assert.Equal((3, 3), (report.Corruptions, report.CorruptionsFixed));
            Assert.Equal((3, 3), (report.Leaks, report.LeaksFixed));
            disk.Write(0, guest.AsSpan(0, 100));
            disk.Write(2 << 20, guest.AsSpan(2 << 20, 1000));
        }

        WriteRaw(guest);
        AssertQemuSees(guest, this["ours"], "repaired");
    }

    [Fact]
    public void AMapThatOverlapsDataIsOnlyRead()
    {
        MemoryLocator files = new() { ["a"] = DamagedImages.With(SmallImage(out _), 0x180, 0x4000) };
        FormatKit kit = new("vdi", files);
        kit.Open("a").Dispose();
        ImageException e = Assert.Throws<ImageException>(() => kit.Open("a", write: true));
        Assert.Equal(ImageErrorKind.Corrupt, e.Kind);
    }

    // 64,000 entries for one block would make a file of 64 GB.
    [Fact]
    public void ARepairDoublesTheFileAtMost()
    {
        MemoryLocator files = new();
        FormatKit kit = new("vdi", files);
        kit.Create("a", 64_000L << 20);
        byte[] image = files["a"];
        image.AsSpan(BlockMapAt, 64_000 * 4).Clear();
        files["a"] = [.. image, .. new byte[1 << 20]];
        using LayeredDisk disk = kit.Open("a", write: true, forCheck: true);
        CheckReport report = ((ICheckable)disk.Top).Check(CheckRepair.All);
        Assert.Equal(63_999, report.Corruptions);
        Assert.Equal(1, report.CorruptionsFixed);
        Assert.InRange(files.Store("a").Length, 0, image.Length + (3 << 20));
    }
}
