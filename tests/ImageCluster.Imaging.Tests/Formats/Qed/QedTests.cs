using System.Buffers.Binary;
using System.Text.Json;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.Qed;

public sealed class QedTests() : WritableFormatTests("qed")
{
    private const int FeaturesAt = 16;
    private const int L1At = 64 << 10;
    private const int L2At = (64 << 10) * 5;

    protected override IReadOnlyList<string> OptionSets { get; } = ["", "cluster_size=4096,table_size=2", "cluster_size=256k,table_size=2"];

    protected override int MetadataLength => L1At + 16;

    protected override void Normalize(byte[] image)
    {
    }

    // The table of a range goes in front of its first cluster here, and behind the first write in QEMU.
    protected override IEnumerable<Field> Fields(byte[] image) =>
    [
        new("magic", 0, 4),
        new("cluster size", 4, 4),
        new("table size", 8, 4),
        new("header size", 12, 4),
        new("features", FeaturesAt, 8),
        new("compatible features", 24, 8),
        new("L1 offset", 40, 8),
        new("image size", 48, 8),
        new("backing offset", 56, 4),
        new("backing size", 60, 4),
        new("L1 entry", L1At, 8),
        new("L2 entry", L2At, 8),
    ];

    protected override IEnumerable<int> Boundaries(byte[] image) => [64, L1At, L1At + 8, L2At, L2At + 64, L2At + (256 << 10), image.Length - (64 << 10), image.Length - (64 << 10) - 512];

    // QEMU takes no table of one cluster for valid, though the specification allows it and qemu-img makes such images.
    protected override bool IsBetterThanQemu(Field field, ulong value) => field.Name == "table size" && value == 1;

    [SkippableFact]
    public void CheckFindsWhatQemuFinds()
    {
        QemuTools.Require();
        byte[] image = SmallImage(out _);
        int used = Enumerable.Range(0, 40).First(i => image[L2At + i * 8 + 2] != 0);
        int next = Enumerable.Range(used + 1, 40).First(i => image[L2At + i * 8 + 2] != 0);
        byte[] twice = [.. image];
        image.AsSpan(L2At + used * 8, 8).CopyTo(twice.AsSpan(L2At + next * 8));
        byte[] outside = [.. image];
        BinaryPrimitives.WriteInt64LittleEndian(outside.AsSpan(L2At + used * 8), 1L << 40);
        byte[] unaligned = [.. image];
        unaligned[L2At + used * 8] = 0x10;
        byte[] selfReferring = [.. image];
        BinaryPrimitives.WriteInt64LittleEndian(selfReferring.AsSpan(L1At), L1At);
        byte[] noTable = [.. image];
        BinaryPrimitives.WriteInt64LittleEndian(noTable.AsSpan(L1At), 1L << 50);
        byte[] dropped = [.. image];
        dropped.AsSpan(L2At + used * 8, 8).Clear();
        foreach (byte[] bad in (byte[][])[image, twice, outside, unaligned, selfReferring, noTable, dropped])
        {
            File.WriteAllBytes(this["bad"], bad);
            string qemu = QemuTools.TryImg("check", "-f", "qed", "--output=json", this["bad"]).Output;
            CheckReport report;
            using (LayeredDisk disk = Kit.Open(this["bad"], forCheck: true))
            {
                report = ((ICheckable)disk.Top).Check(CheckRepair.None);
            }

            AssertSays(qemu, "leaks", report.Leaks);
            AssertSays(qemu, "corruptions", report.Corruptions);
            AssertSays(qemu, "total-clusters", report.TotalClusters);
            AssertSays(qemu, "allocated-clusters", report.AllocatedClusters);
            AssertSays(qemu, "fragmented-clusters", report.FragmentedClusters);

            // Repaired by either, the two have the same tables.
            File.WriteAllBytes(this["qemu"], bad);
            QemuTools.TryImg("check", "-f", "qed", "-r", "all", this["qemu"]);
            using (LayeredDisk disk = Kit.Open(this["bad"], write: true, forCheck: true))
            {
                ((ICheckable)disk.Top).Check(CheckRepair.All);
            }

            AssertSame(File.ReadAllBytes(this["qemu"]), File.ReadAllBytes(this["bad"]), "repaired");
        }
    }

    [SkippableFact]
    public void AnImageThatNeedsACheckIsRepairedWhenItIsWritten()
    {
        QemuTools.Require();
        byte[] image = SmallImage(out byte[] guest);
        int used = Enumerable.Range(0, 40).First(i => image[L2At + i * 8 + 2] != 0);
        image[FeaturesAt] = 2;
        BinaryPrimitives.WriteInt64LittleEndian(image.AsSpan(L2At + used * 8), 1L << 40);
        guest.AsSpan(used * (64 << 10), Math.Min(64 << 10, guest.Length - used * (64 << 10))).Clear();
        File.WriteAllBytes(this["ours"], image);
        using (LayeredDisk disk = Kit.Open(this["ours"]))
        {
            Assert.True(((IImageStatus)disk.Top).IsDirty);
        }

        using (LayeredDisk disk = Kit.Open(this["ours"], write: true))
        {
            Assert.False(((IImageStatus)disk.Top).IsDirty);
            Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(disk)));
        }

        Assert.Equal(0, File.ReadAllBytes(this["ours"])[FeaturesAt]);
    }

    [SkippableFact]
    public void GrowingIsQemus()
    {
        QemuTools.Require();
        byte[] guest = WriteRaw((3 << 20) + 512, seed: 3);
        Kit.Fill(this["ours"], guest);
        File.Copy(this["ours"], this["qemu"]);
        QemuTools.Img("resize", "-f", "qed", this["qemu"], "20M");
        using (LayeredDisk disk = Kit.Open(this["ours"], write: true))
        {
            IResizable layer = (IResizable)disk.Top;
            layer.Resize(20 << 20, "off");
            Assert.Equal(20 << 20, disk.VirtualSize);
            Assert.Equal("Shrinking images is currently not supported", Assert.Throws<ImageException>(() => layer.Resize(1 << 20, "off")).Message);
            Assert.Equal("Unsupported preallocation mode 'full'", Assert.Throws<ImageException>(() => layer.Resize(30 << 20, "full")).Message);
            Assert.Equal("Invalid image size specified", Assert.Throws<ImageException>(() => layer.Resize(1L << 50, "off")).Message);
        }

        AssertSame(File.ReadAllBytes(this["qemu"]), File.ReadAllBytes(this["ours"]), "grown");
    }

    [SkippableTheory]
    [InlineData("cluster_size=2048")]
    [InlineData("cluster_size=128M")]
    [InlineData("cluster_size=5000")]
    [InlineData("table_size=3")]
    [InlineData("table_size=32")]
    [InlineData("cluster_size=4k,table_size=1,size=2G")]
    public void OptionsOutOfRangeAreRefusedInQemusWords(string options)
    {
        QemuTools.Require();
        long size = options.Contains("size=2G", StringComparison.Ordinal) ? 2L << 30 : 1 << 20;
        options = options.Replace(",size=2G", "", StringComparison.Ordinal);
        ToolResult qemu = QemuTools.TryImg("create", "-f", "qed", "-o", options, this["qemu"], $"{size}");
        ImageException e = Assert.Throws<ImageException>(() => Kit.Create(this["ours"], size, options));
        Assert.EndsWith($"{this["qemu"]}: {e.Message}", qemu.Error.Trim(), StringComparison.Ordinal);
    }

    private static void AssertSays(string json, string field, long value)
    {
        using JsonDocument check = JsonDocument.Parse(json);
        Assert.Equal(check.RootElement.TryGetProperty(field, out JsonElement element) ? element.GetInt64() : 0, value);
    }
}
