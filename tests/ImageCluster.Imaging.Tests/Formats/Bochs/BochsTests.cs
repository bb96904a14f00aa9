using System.Buffers.Binary;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Tests.Formats.BlockTables;

namespace ImageCluster.Imaging.Tests.Formats.Bochs;

public sealed class BochsTests() : ReadOnlyFormatTests("bochs")
{
    private const int ExtentSize = 64 << 10;
    private const int Extents = 6;
    private const int CatalogAt = 512;
    private const int DataAt = CatalogAt + Extents * 4;
    private const int SizeAt = 88;

    protected override IEnumerable<Field> Fields(byte[] image) =>
    [
        new("magic", 0, 4),
        new("version", 64, 4),
        new("header size", 68, 4),
        new("catalog entries", 72, 4),
        new("bitmap size", 76, 4),
        new("extent size", 80, 4),
        new("disk size", SizeAt, 8),
        new("catalog entry", CatalogAt, 4),
    ];

    protected override IEnumerable<int> Boundaries(byte[] image) => [CatalogAt + 4, DataAt, DataAt + 512, DataAt + 1024];

    // The first version has the disk's size elsewhere, so that another version is another size.
    protected override bool IsBetterThanQemu(Field field, ulong value) => field.Name == "version" && value == 0x10000;

    [Fact]
    public void TheFirstVersionHasItsSizeElsewhere()
    {
        byte[] image = Build(out byte[] guest);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(64), 0x10000);
        image.AsSpan(SizeAt, 8).CopyTo(image.AsSpan(84));
        using LayeredDisk disk = Open(image);
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(disk)));
    }

    protected override byte[] Build(out byte[] guest) => Make(out guest);

    internal static byte[] Make(out byte[] guest)
    {
        guest = new byte[Extents * ExtentSize - 512 * 3];
        byte[] image = new byte[DataAt + 4 * (512 + ExtentSize)];
        "Bochs Virtual HD Image"u8.CopyTo(image);
        "Redolog"u8.CopyTo(image.AsSpan(32));
        "Growing"u8.CopyTo(image.AsSpan(48));
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(64), 0x20000);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(68), CatalogAt);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(72), Extents);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(76), 512);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(80), ExtentSize);
        BinaryPrimitives.WriteInt64LittleEndian(image.AsSpan(SizeAt), guest.Length);

        // Extents lie in the file in another order than in the guest; of each some sectors were written.
        uint[] places = [2, uint.MaxValue, 0, 3, uint.MaxValue, 1];
        Random random = new(7);
        for (int extent = 0; extent < Extents; extent++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(CatalogAt + extent * 4), places[extent]);
            for (int sector = 0; sector < ExtentSize / 512 && places[extent] != uint.MaxValue; sector++)
            {
                int offset = extent * ExtentSize + sector * 512;
                if (offset >= guest.Length || random.Next(3) == 0)
                {
                    continue;
                }

                Span<byte> data = guest.AsSpan(offset, 512);
                random.NextBytes(data);
                int at = DataAt + (int)places[extent] * (512 + ExtentSize);
                image[at + sector / 8] |= (byte)(1 << (sector % 8));
                data.CopyTo(image.AsSpan(at + 512 + sector * 512));
            }
        }

        return image;
    }
}
