using System.Buffers.Binary;
using System.Numerics;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.Vhdx;

public sealed class VhdxTests() : WritableFormatTests("vhdx")
{
    private const int KiB = 1 << 10;
    private const int MiB = 1 << 20;
    private const int BatAt = 2 * MiB;
    private const int MetadataAt = 3 * MiB;
    private const int ItemsAt = MetadataAt + 64 * KiB;

    protected override IReadOnlyList<string> OptionSets { get; } =
        ["block_size=1M", "", "block_size=2M,log_size=3M,block_state_zero=off", "subformat=fixed,block_state_zero=off,block_size=1M"];

    protected override IReadOnlyList<int> Sizes { get; } = [512, MiB, 3 * MiB + 512, 9 * MiB - 512 * 7];

    protected override string? SevenZipType => "VHDX";

    protected override LibraryReader? Library => new("vhdi");

    protected override IReadOnlyList<string> SevenZipOptionSets => [.. OptionSets.Where(options => !options.Contains("fixed", StringComparison.Ordinal))];

    protected override int MetadataLength => 320 * KiB;

    // QEMU makes a fixed image only as long as its disk; the specification wants whole blocks.
    protected override bool HasSameLength(string options) => !options.Contains("fixed", StringComparison.Ordinal);

    protected override void Normalize(byte[] image)
    {
        image.AsSpan(8, 512).Clear();
        foreach (int header in (int[])[64 * KiB, 128 * KiB])
        {
            image.AsSpan(header + 4, 4 + 8 + 32).Clear();
        }

        int metadata = image.AsSpan().IndexOf("metadata"u8);
        image.AsSpan(metadata + 64 * KiB + 16, 16).Clear();
    }

    protected override IEnumerable<Field> Fields(byte[] image)
    {
        // The header that counts is the second; both are changed together by changing the first only where it must not matter.
        int header = 128 * KiB;
        int regions = 192 * KiB;
        return
        [
            new("signature", 0, 8),
            new("header signature", header, 4),
            new("sequence", header + 8, 8),
            new("log version", header + 64, 2),
            new("version", header + 66, 2),
            new("log length", header + 68, 4),
            new("log offset", header + 72, 8),
            new("region signature", regions, 4),
            new("region count", regions + 8, 4),
            new("BAT id", regions + 16, 4),
            new("BAT offset", regions + 32, 8),
            new("BAT length", regions + 40, 4),
            new("metadata offset", regions + 64, 8),
            new("metadata length", regions + 72, 4),
            new("metadata signature", MetadataAt, 8),
            new("item count", MetadataAt + 10, 2),
            new("item id", MetadataAt + 32, 4),
            new("item offset", MetadataAt + 48, 4),
            new("item length", MetadataAt + 52, 4),
            new("block size", ItemsAt, 4),
            new("flags", ItemsAt + 4, 4),
            new("disk size", ItemsAt + 8, 8),
            new("logical sector size", ItemsAt + 32, 4),
            new("physical sector size", ItemsAt + 36, 4),
            new("entry", BatAt, 8),
            new("second entry", BatAt + 8, 8),
        ];
    }

    protected override IEnumerable<int> Boundaries(byte[] image) =>
        [64 * KiB, 128 * KiB, 132 * KiB, 192 * KiB, 256 * KiB, 320 * KiB, MiB, BatAt, BatAt + 8, MetadataAt, ItemsAt, ItemsAt + 40, 7 * MiB, 8 * MiB, 9 * MiB + 512];

    protected override byte[] Reseal(byte[] image) => SealAll(image);

    internal static byte[] SealAll(byte[] image)
    {
        foreach ((int at, int length) in ((int, int)[])[(64 * KiB, 4 * KiB), (128 * KiB, 4 * KiB), (192 * KiB, 64 * KiB), (256 * KiB, 64 * KiB)])
        {
            Seal(image.AsSpan(at, length));
        }

        return image;
    }

    // QEMU looks at neither the second region table, nor what an item claims to be long, nor 64 TiB (and at disks of no size it miscounts), nor regions without length, nor where
    // an empty log lies, nor whether the file holds the table, and it reads a disk of larger sectors with a wrong size.
    protected override bool IsBetterThanQemu(Field field, ulong value) => field.Name is "region signature" or "item length" or "logical sector size"
        || (field.Name == "log offset" && value > long.MaxValue) || (field.Name == "disk size" && (value == 0 || value > 64UL << 40)) || field.Name == "BAT offset" || (field.Name == "metadata offset" && value <= MiB) || (field.Name == "flags" && (value & 2) != 0);

    protected override bool MayCrashLeave(string finding) => finding.Contains("log needs to be replayed", StringComparison.Ordinal);

    [SkippableTheory]
    [InlineData("block_size=16M")]
    [InlineData("block_size=256M")]
    [InlineData("block_size=256M,subformat=fixed")]
    [InlineData("block_state_zero=on,block_size=8M")]
    [InlineData("block_size=0")]
    public void LargeBlocksAreReadAndWrittenAsQemuDoes(string options)
    {
        QemuTools.Require();
        byte[] guest = WriteRaw((9 * MiB) - 512, seed: 3);
        Kit.QemuMake(this["raw"], this["qemu"], options);
        using (LayeredDisk disk = Kit.Open(this["qemu"]))
        {
            AssertSame(guest, FormatKit.ReadAll(disk), options);
        }

        Kit.Fill(this["ours"], guest, options);
        AssertQemuSees(guest, this["ours"], options);
        AssertSameInfo(this["qemu"], this["ours"], options);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(128)]
    public void EitherHeaderWillDo(int at)
    {
        byte[] image = SmallImage(out byte[] guest);
        image[at * KiB + 100] ^= 1;
        Assert.Null(DamagedImages.Survive("vhdx", image, "one header damaged", guest));
        image[(192 - at) * KiB + 20] ^= 1;
        Assert.Equal("No valid VHDX header found", DamagedImages.Survive("vhdx", image, "both headers damaged")?.Message);
    }

    [Theory]
    [InlineData(192)]
    [InlineData(256)]
    public void EitherRegionTableWillDo(int at)
    {
        byte[] image = SmallImage(out byte[] guest);
        image[at * KiB + 5000] ^= 1;
        Assert.Null(DamagedImages.Survive("vhdx", image, "one region table damaged", guest));
        image[(448 - at) * KiB + 5000] ^= 1;
        Assert.Equal("No valid VHDX region table found", DamagedImages.Survive("vhdx", image, "both damaged")?.Message);
    }

    [SkippableTheory]
    [InlineData("subformat=fixed", 9)]
    [InlineData("block_size=256M", 1)]
    [InlineData("block_size=1", 5)]
    public void OtherOptionsSatisfyQemu(string options, int mebibytes)
    {
        QemuTools.Require();
        byte[] guest = WriteRaw(mebibytes * MiB, seed: 9);
        Kit.Fill(this["ours"], guest, options);
        AssertQemuSees(guest, this["ours"], options);
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(1L << 30)]
    [InlineData((100L << 30) + 512)]
    [InlineData(33L << 40)]
    [InlineData(64L << 40)]
    public void LargeImagesSatisfyQemu(long size)
    {
        QemuTools.Require();
        Kit.Create(this["ours"], size);
        QemuTools.Img("create", "-q", "-f", "vhdx", this["qemu"], $"{size}");
        AssertSameInfo(this["qemu"], this["ours"], $"{size}");
        Assert.Equal(new FileInfo(this["qemu"]).Length, new FileInfo(this["ours"]).Length);
        using LayeredDisk disk = Kit.Open(this["ours"]);
        Assert.Equal(size, disk.VirtualSize);
    }

    [Theory]
    [InlineData("block_size=3M", 1, "Block size must be a power of two")]
    [InlineData("log_size=4G", 1, "Log size must be smaller than 4 GB")]
    [InlineData("log_size=0", 1, "Log size must be a multiple of 1 MB")]
    [InlineData("", (64L << 40) + 1, "Image size too large; max of 64TB")]
    public void OptionsOutOfRangeAreRefused(string options, long size, string message)
    {
        ImageException e = Assert.Throws<ImageException>(() => Kit.Create(this["ours"], size, options));
        Assert.Equal(message, e.Message);
    }

    [Fact]
    public void DisksWithSectorsOf4KiBHaveTheirWholeSize()
    {
        byte[] image = SmallImage(out byte[] guest);
        BinaryPrimitives.WriteInt32LittleEndian(image.AsSpan(ItemsAt + 32), 4096);
        BinaryPrimitives.WriteInt64LittleEndian(image.AsSpan(ItemsAt + 8), 3 * MiB);
        Assert.Null(DamagedImages.Survive("vhdx", image, "4 KiB sectors", guest[..(3 * MiB)]));
    }

    [Fact]
    public void CheckFindsEntriesThatShareAPlaceOrLieOverAStructure()
    {
        byte[] image = SmallImage(out _);
        byte[] shared = [.. image];
        image.AsSpan(BatAt, 8).CopyTo(shared.AsSpan(BatAt + 8));
        byte[] misplaced = [.. image];
        BinaryPrimitives.WriteInt64LittleEndian(misplaced.AsSpan(BatAt), BatAt | 6);
        foreach ((byte[] bad, string word) in ((byte[], string)[])[(shared, "shares its place"), (misplaced, "overlaps with region")])
        {
            File.WriteAllBytes(this["bad"], bad);
            using LayeredDisk disk = Kit.Open(this["bad"], forCheck: true);
            CheckReport report = ((ICheckable)disk.Top).Check(CheckRepair.None);
            Assert.Contains(report.Messages, message => message.Contains(word, StringComparison.Ordinal));
            Assert.Throws<ImageException>(() => Kit.Open(this["bad"], write: true));
        }
    }

    private static void Seal(Span<byte> structure)
    {
        structure.Slice(4, 4).Clear();
        uint crc = uint.MaxValue;
        foreach (byte value in structure)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(structure[4..], ~crc);
    }
}
