using System.Buffers.Binary;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Tests.Formats.Parallels;

public sealed class ParallelsTests() : WritableFormatTests("parallels")
{
    private const int InUseAt = 44;
    private const int TableAt = 64;
    private const int ClusterSize = 1 << 20;

    protected override IReadOnlyList<string> OptionSets { get; } = ["", "cluster_size=64k", "cluster_size=32256"];

    protected override int MetadataLength => TableAt + 40;

    protected override void Normalize(byte[] image)
    {
    }

    protected override IEnumerable<Field> Fields(byte[] image) =>
    [
        new("magic", 0, 8),
        new("version", 16, 4),
        new("tracks", 28, 4),
        new("entries", 32, 4),
        new("sectors", 36, 8),
        new("in use", InUseAt, 4),
        new("data offset", 48, 4),
        new("flags", 52, 4),
        new("entry", TableAt, 4),
    ];

    protected override IEnumerable<int> Boundaries(byte[] image) => [63, TableAt, TableAt + 4, TableAt + 16, ClusterSize, ClusterSize + 512, 2 * ClusterSize];

    // QEMU takes a table that the file does not hold for one of zeros, and sizes that no 64 bits of bytes can say.
    protected override bool IsBetterThanQemu(Field field, ulong value) => field.Name == "sectors" && value > long.MaxValue / 512;

    protected override bool MayCrashLeave(string finding) =>
        finding.Contains("not closed correctly", StringComparison.Ordinal) || finding.Contains("space leaked", StringComparison.Ordinal);

    [SkippableFact]
    public void CheckFindsAndRepairsWhatQemuDoes()
    {
        QemuTools.Require();
        byte[] image = SmallImage(out _);
        byte[] unclean = DamagedImages.With(image, InUseAt, 0x746f6e59);
        byte[] outside = DamagedImages.With(image, TableAt, 1000);
        byte[] longer = [.. image, .. new byte[3 * ClusterSize + 5]];
        byte[] all = [.. DamagedImages.With(DamagedImages.With(image, InUseAt, 0x746f6e59), TableAt, 1000), .. new byte[ClusterSize]];
        foreach (byte[] bad in (byte[][])[image, unclean, outside, longer, all])
        {
            File.WriteAllBytes(this["bad"], bad);
            File.WriteAllBytes(this["qemu"], bad);
            ToolResult qemu = QemuTools.TryImg("check", "-f", "parallels", this["qemu"]);
            string[] expected = [.. qemu.Error.Split('\n').Where(line => line.StartsWith("ERROR", StringComparison.Ordinal))];
            using (LayeredDisk disk = Kit.Open(this["bad"], forCheck: true))
            {
                CheckReport report = ((ICheckable)disk.Top).Check(CheckRepair.None);
                Assert.Equal(expected, report.Messages);
            }

            QemuTools.TryImg("check", "-f", "parallels", "-r", "all", this["qemu"]);
            using (LayeredDisk disk = Kit.Open(this["bad"], write: true, forCheck: true))
            {
                CheckReport report = ((ICheckable)disk.Top).Check(CheckRepair.All);
                Assert.Equal((report.Corruptions, report.Leaks), (report.CorruptionsFixed, report.LeaksFixed));
            }

            // qemu-img 7.2 lets a file grow up to where an entry pointed that it has just dropped.
            byte[] ours = File.ReadAllBytes(this["bad"]);
            byte[] theirs = new byte[ours.Length];
            using (SafeFileHandle file = File.OpenHandle(this["qemu"]))
            {
                Assert.Equal(theirs.Length, RandomAccess.Read(file, theirs, 0));
            }

            AssertSame(theirs, ours, string.Join("; ", expected));
        }
    }

    [SkippableFact]
    public void ClustersThatTwoEntriesShareGetCopies()
    {
        QemuTools.Require();
        byte[] guest = WriteRaw(4 << 20, seed: 41);
        new Random(1).NextBytes(guest);
        Kit.Fill(this["ours"], guest);
        byte[] image = File.ReadAllBytes(this["ours"]);
        File.WriteAllBytes(this["ours"], DamagedImages.With(image, TableAt + 8, BinaryPrimitives.ReadUInt32LittleEndian(image.AsSpan(TableAt + 4))));
        guest.AsSpan(ClusterSize, ClusterSize).CopyTo(guest.AsSpan(2 * ClusterSize));
        using (LayeredDisk disk = Kit.Open(this["ours"], write: true, forCheck: true))
        {
            CheckReport report = ((ICheckable)disk.Top).Check(CheckRepair.All);
            Assert.Equal((1, 1), (report.Corruptions, report.CorruptionsFixed));
            guest.AsSpan(ClusterSize, 1000).Fill(9);
            disk.Write(ClusterSize, guest.AsSpan(ClusterSize, 1000));
        }

        WriteRaw(guest);
        AssertQemuSees(guest, this["ours"], "copied");
    }

    [Fact]
    public void AnImageThatWasNotClosedIsReadAndNotWritten()
    {
        byte[] image = DamagedImages.With(SmallImage(out byte[] guest), InUseAt, 0x746f6e59);
        Assert.Null(DamagedImages.Survive("parallels", image, "unclean", guest));
        File.WriteAllBytes(this["ours"], image);
        ImageException e = Assert.Throws<ImageException>(() => Kit.Open(this["ours"], write: true));
        Assert.Equal("parallels: Image was not closed correctly; cannot be opened read/write", e.Message);
    }

    [SkippableFact]
    public void TheOldMagicCountsSectors()
    {
        QemuTools.Require();
        byte[] image = SmallImage(out byte[] guest);
        "WithoutFreeSpace"u8.CopyTo(image);
        for (int at = TableAt; at < TableAt + 16; at += 4)
        {
            image = DamagedImages.With(image, at, BinaryPrimitives.ReadUInt32LittleEndian(image.AsSpan(at)) * (ClusterSize / 512));
        }

        File.WriteAllBytes(this["ours"], image);
        using (LayeredDisk disk = Kit.Open(this["ours"], write: true))
        {
            guest.AsSpan(100, 2_000_000).Fill(5);
            disk.Write(100, guest.AsSpan(100, 2_000_000));
        }

        WriteRaw(guest);
        AssertQemuSees(guest, this["ours"], "old magic");
    }

    [SkippableTheory]
    [InlineData("cluster_size=4G", 1 << 20)]
    [InlineData("cluster_size=512", 3L << 40)]
    public void OptionsOutOfRangeAreRefusedInQemusWords(string options, long size)
    {
        QemuTools.Require();
        ToolResult qemu = QemuTools.TryImg("create", "-f", "parallels", "-o", options, this["qemu"], $"{size}");
        ImageException e = Assert.Throws<ImageException>(() => Kit.Create(this["ours"], size, options));
        Assert.EndsWith(e.Message, qemu.Error.Trim(), StringComparison.Ordinal);
    }
}
