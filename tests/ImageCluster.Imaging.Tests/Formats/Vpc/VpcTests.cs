using System.Buffers.Binary;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.Vpc;

public sealed class VpcTests() : WritableFormatTests("vpc")
{
    private const int HeaderAt = 512;
    private const int TableAt = 1536;

    protected override IReadOnlyList<string> OptionSets { get; } = ["", "force_size=on", "subformat=fixed", "subformat=fixed,force_size=on"];

    protected override IReadOnlyList<int> Sizes { get; } = [512, (3 << 20) + 512, (9 << 20) - 512 * 7];

    protected override bool HasCheck => false;

    protected override string? SevenZipType => "VHD";

    protected override LibraryReader? Library => new("vhdi");

    protected override int MetadataLength => 0x680;

    protected override void Normalize(byte[] image)
    {
        foreach (int footer in Footers(image))
        {
            // Time stamp, unique id, and with them the checksum.
            image.AsSpan(footer + 0x18, 4).Clear();
            image.AsSpan(footer + 0x40, 20).Clear();
        }
    }

    protected override IEnumerable<Field> Fields(byte[] image) =>
    [
        new("cookie", 0, 8, true),
        new("features", 0x08, 4, true),
        new("version", 0x0c, 4, true),
        new("data offset", 0x10, 8, true),
        new("creator", 0x1c, 4, true),
        new("current size", 0x30, 8, true),
        new("geometry", 0x38, 4, true),
        new("cylinders", 0x38, 2, true),
        new("type", 0x3c, 4, true),
        new("header cookie", HeaderAt, 8, true),
        new("table offset", HeaderAt + 0x10, 8, true),
        new("table entries", HeaderAt + 0x1c, 4, true),
        new("block size", HeaderAt + 0x20, 4, true),
        new("entry", TableAt, 4, true),
    ];

    protected override IEnumerable<int> Boundaries(byte[] image) => [HeaderAt, TableAt, 2048, 2560, 2048 + (2 << 20), image.Length - 1024];

    protected override byte[] Reseal(byte[] image) => SealAll(image);

    internal static byte[] SealAll(byte[] image)
    {
        foreach (int footer in Footers(image))
        {
            Seal(image.AsSpan(footer, 512), 0x40);
        }

        Seal(image.AsSpan(HeaderAt, 1024), 0x24);
        return image;
    }

    // A type of differencing without a parent's name; a table past the file's end, which QEMU reads as zeros; a damaged first cookie, where the
    // footer at the end says what QEMU overlooks.
    protected override bool IsBetterThanQemu(Field field, ulong value) =>
        (field.Name == "type" && value == 4) || field.Name is "cookie" or "table offset" || (field.Name == "table entries" && value > 1000);

    [Theory]
    [InlineData(0)]
    [InlineData(0x38)]
    [InlineData(0x30)]
    public void TheFooterAtTheEndStandsInForADamagedFirstCopy(int at)
    {
        byte[] image = SmallImage(out byte[] guest);
        image[at] ^= 0x55;
        Assert.Null(DamagedImages.Survive("vpc", image, "first copy damaged", guest));
        image[^(512 - at)] ^= 0x55;
        Assert.NotNull(DamagedImages.Survive("vpc", image, "both copies damaged"));
    }

    [Fact]
    public void AWrongChecksumOfTheDynamicHeaderIsRefused()
    {
        byte[] image = SmallImage(out _);
        image[HeaderAt + 0x300] ^= 1;
        ImageException? refusal = DamagedImages.Survive("vpc", image, "checksum");
        Assert.Equal("Incorrect dynamic header checksum", refusal?.Message);
    }

    [SkippableTheory]
    [InlineData("qemu")]
    [InlineData("qem2")]
    [InlineData("win ")]
    [InlineData("d2v ")]
    [InlineData("CTXS")]
    [InlineData("tap\0")]
    [InlineData("vpc ")]
    [InlineData("vs  ")]
    public void WhoMadeItDecidesWhichSizeCounts(string creator)
    {
        QemuTools.Require();
        foreach (string options in (string[])["", "subformat=fixed"])
        {
            Kit.Create(this["ours"], 10 << 20, options);
            byte[] image = File.ReadAllBytes(this["ours"]);
            foreach (int footer in Footers(image))
            {
                System.Text.Encoding.Latin1.GetBytes(creator, image.AsSpan(footer + 0x1c));
                BinaryPrimitives.WriteInt64BigEndian(image.AsSpan(footer + 0x30), 10_000_000);
            }

            File.WriteAllBytes(this["ours"], Reseal(image));
            string info = QemuTools.Img("info", "-f", "vpc", "--output=json", this["ours"]);
            using LayeredDisk disk = Kit.Open(this["ours"]);
            Assert.Contains($"\"virtual-size\": {disk.VirtualSize},", info, StringComparison.Ordinal);
        }
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(127L << 30)]
    [InlineData((127L << 30) + 512)]
    [InlineData(136_899_993_600)]
    [InlineData(2000L << 30)]
    [InlineData(2040L << 30)]
    public void LargeImagesGetQemusGeometry(long size)
    {
        QemuTools.Require();
        Kit.Create(this["ours"], size);
        QemuTools.Img("create", "-q", "-f", "vpc", this["qemu"], $"{size}");
        byte[] ours = File.ReadAllBytes(this["ours"]);
        byte[] qemu = File.ReadAllBytes(this["qemu"]);
        Normalize(ours);
        Normalize(qemu);
        AssertSame(qemu, ours, $"{size}");
    }

    [Fact]
    public void MoreThan2040GiBAreRefused()
    {
        ImageException e = Assert.Throws<ImageException>(() => Kit.Create(this["ours"], (2040L << 30) + 1));
        Assert.Equal("The image size is too large for file format 'vpc'", e.Message);
    }

    private static IEnumerable<int> Footers(byte[] image)
    {
        foreach (int at in (int[])[0, image.Length - 512])
        {
            if (image.AsSpan(at).StartsWith("conectix"u8))
            {
                yield return at;
            }
        }
    }

    internal static void Seal(Span<byte> structure, int checksumAt)
    {
        structure.Slice(checksumAt, 4).Clear();
        uint sum = 0;
        foreach (byte value in structure)
        {
            sum += value;
        }

        BinaryPrimitives.WriteUInt32BigEndian(structure[checksumAt..], ~sum);
    }
}
