using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.Dmg;

public sealed class DmgTests() : ReadOnlyFormatTests("dmg")
{
    private const int ChunkSectors = 128;
    private const int Chunks = 9;
    private const uint Zero = 0;
    private const uint Raw = 1;
    private const uint Ignore = 2;
    private const uint Adc = 0x80000004;
    private const uint Zlib = 0x80000005;
    private const uint Bzip2 = 0x80000006;
    private const uint Lzfse = 0x80000007;
    private const uint Comment = 0x7ffffffe;
    private const uint LastEntry = 0xffffffff;

    private static readonly uint[] Types = [Raw, Zero, Zlib, Comment, Zlib, Ignore, Raw, Zlib, Zlib, Zlib, LastEntry];

    protected override IEnumerable<Field> Fields(byte[] image)
    {
        int trailer = image.Length - 512;
        return
        [
            new("signature", trailer, 4, true),
            new("data fork offset", trailer + 0x18, 8, true),
            new("resource fork offset", trailer + 0x28, 8, true),
            new("resource fork length", trailer + 0x30, 8, true),
            new("list offset", trailer + 0xd8, 8, true),
            new("list length", trailer + 0xe0, 8, true),
            new("sectors", trailer + 0x1ec, 8, true),
        ];
    }

    protected override IEnumerable<int> Boundaries(byte[] image) => [ChunkSectors * 512, image.Length - 512, image.Length - 512 - 100];

    // QEMU opens an image whose list of chunks says nothing, or not where it is, and lets sizes of more than 2^63 bytes pass.
    protected override bool IsBetterThanQemu(Field field, ulong value) =>
        field.Name is "list offset" or "list length" or "resource fork length" || (field.Name == "sectors" && value > long.MaxValue / 512);

    [Fact]
    public void AResourceForkListsChunksToo()
    {
        byte[] image = Build(out byte[] guest, asResourceFork: true);
        using LayeredDisk disk = Open(image);
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(disk)));
    }

    [Fact]
    public void AFileOfOddLengthHasItsTrailerAnywhereInTheLastButOneSector()
    {
        byte[] image = Build(out byte[] guest);
        foreach (int odd in (int[])[1, 77, 511])
        {
            byte[] shifted = [.. image[..^512], .. new byte[odd], .. image[^512..]];
            using LayeredDisk disk = Open(shifted);
            Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(disk)), $"{odd} bytes more");
        }
    }

    [Fact]
    public void LzfseIsRefusedByNameAndTheRestIsRead()
    {
        byte[] image = Build(out byte[] guest, types: [.. Types[..8], Lzfse, .. Types[9..]]);
        using LayeredDisk disk = Open(image);
        byte[] first = new byte[ChunkSectors * 512];
        disk.Read(0, first);
        Assert.True(first.AsSpan().SequenceEqual(guest.AsSpan(0, first.Length)));
        ImageException e = Assert.Throws<ImageException>(() => disk.Read((Chunks - 2) * ChunkSectors * 512, first));
        Assert.Equal(ImageErrorKind.Unsupported, e.Kind);
        Assert.Contains("lzfse", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ListsOfChunksOutOfRangeGiveAnErrorOrRightBytes()
    {
        byte[] image = Build(out _, asResourceFork: true);
        int fork = (int)BinaryPrimitives.ReadInt64BigEndian(image.AsSpan(image.Length - 512 + 0x28));
        int block = fork + 20;
        Field[] fields =
        [
            new("data of the fork", fork, 4, true), new("length of the data", fork + 8, 4, true), new("length of the block", fork + 16, 4, true),
            new("block", block, 4, true), new("first sector", block + 8, 8, true), new("data offset", block + 0x18, 8, true),
        ];
        IEnumerable<Field> entries = new[] { 0, 1, 2, 9 }.Select(i => block + 204 + (i * 40)).SelectMany(static at => new Field[]
        {
            new($"type at {at}", at, 4, true), new($"sector at {at}", at + 8, 8, true), new($"sectors at {at}", at + 16, 8, true),
            new($"offset at {at}", at + 24, 8, true), new($"length at {at}", at + 32, 8, true),
        });
        foreach (Field field in fields.Concat(entries))
        {
            foreach (ulong value in field.BadValues(image))
            {
                DamagedImages.Survive("dmg", field.With(image, value), $"{field.Name} = 0x{value:x}");
            }
        }
    }

    // qemu-img needs a module for bzip2 that Debian packs apart, and has none for adc: 7-Zip says what is right.
    [SkippableTheory]
    [InlineData(Adc)]
    [InlineData(Zlib)]
    [InlineData(Bzip2)]
    public void SevenZipReadsTheSame(uint type)
    {
        byte[] image = Build(out byte[] guest, types: [type, Raw, type, Zero, type, LastEntry]);
        using (LayeredDisk disk = Open(image))
        {
            Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(disk)));
        }

        File.WriteAllBytes(this["image.dmg"], image);
        Directory.CreateDirectory(this["out"]);
        Assert.True(guest.AsSpan().SequenceEqual(SevenZip.Extract("dmg", this["image.dmg"], this["out"])));
    }

    [Fact]
    public void MapSaysWhichChunksAreZeros()
    {
        byte[] image = Build(out _);
        using LayeredDisk disk = Open(image);
        Assert.Equal(ExtentKind.Data, disk.Map(0, 1).Extent.Kind);
        Assert.Equal(ExtentKind.Zero, disk.Map(ChunkSectors * 512, 1).Extent.Kind);
        Assert.Equal(ExtentKind.Compressed, disk.Map(2 * ChunkSectors * 512, 1).Extent.Kind);
    }

    protected override byte[] Build(out byte[] guest) => Build(out guest, asResourceFork: false);

    internal static byte[] Build(out byte[] guest, bool asResourceFork = false, uint[]? types = null)
    {
        guest = GuestContent.Make(Chunks * ChunkSectors * 512, 51);
        types ??= Types;
        using MemoryStream data = new();
        using MemoryStream block = new();
        byte[] head = new byte[204];
        "mish"u8.CopyTo(head);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(4), 1);
        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(16), types.Count(static type => type is not (Comment or LastEntry)) * ChunkSectors);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(200), types.Length);
        block.Write(head);
        int sector = 0;
        foreach (uint type in types)
        {
            bool isChunk = type is not (Comment or LastEntry);
            int start = (int)data.Length;
            if (isChunk)
            {
                WriteChunk(data, guest.AsSpan(sector * 512, ChunkSectors * 512), type);
            }

            byte[] entry = new byte[40];
            BinaryPrimitives.WriteUInt32BigEndian(entry, type);
            BinaryPrimitives.WriteInt64BigEndian(entry.AsSpan(8), sector);
            BinaryPrimitives.WriteInt64BigEndian(entry.AsSpan(16), isChunk ? ChunkSectors : 0);
            BinaryPrimitives.WriteInt64BigEndian(entry.AsSpan(24), start);
            BinaryPrimitives.WriteInt64BigEndian(entry.AsSpan(32), data.Length - start);
            block.Write(entry);
            sector += isChunk ? ChunkSectors : 0;
        }

        byte[] list = asResourceFork ? ResourceFork(block.ToArray()) : PropertyList(block.ToArray());
        byte[] trailer = new byte[512];
        "koly"u8.CopyTo(trailer);
        BinaryPrimitives.WriteInt32BigEndian(trailer.AsSpan(4), 4);
        BinaryPrimitives.WriteInt32BigEndian(trailer.AsSpan(8), trailer.Length);
        BinaryPrimitives.WriteInt64BigEndian(trailer.AsSpan(0x20), data.Length);
        int at = asResourceFork ? 0x28 : 0xd8;
        BinaryPrimitives.WriteInt64BigEndian(trailer.AsSpan(at), data.Length);
        BinaryPrimitives.WriteInt64BigEndian(trailer.AsSpan(at + 8), list.Length);
        BinaryPrimitives.WriteInt64BigEndian(trailer.AsSpan(0x1ec), sector);
        Array.Resize(ref guest, sector * 512);
        return [.. data.ToArray(), .. list, .. trailer];
    }

    private static void WriteChunk(MemoryStream data, Span<byte> guest, uint type)
    {
        switch (type)
        {
            case Raw:
                data.Write(guest);
                break;
            case Zlib:
                using (ZLibStream stream = new(data, CompressionLevel.Optimal, leaveOpen: true))
                {
                    stream.Write(guest);
                }

                break;
            case Adc:
                data.Write(AdcDecoderTests.Pack(guest));
                break;
            case Bzip2:
                data.Write(Bzip2DecoderTests.Pack(guest.ToArray(), level: 9));
                break;
            case Lzfse:
                data.Write("bvx$"u8);
                break;
            default:
                guest.Clear();
                break;
        }
    }

    private static byte[] PropertyList(byte[] block) => Encoding.ASCII.GetBytes(
        "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>resource-fork</key><dict><key>blkx</key><array><dict><key>Data</key><data>\n"
        + Convert.ToBase64String(block, Base64FormattingOptions.InsertLineBreaks)
        + "\n</data></dict></array><key>plst</key><data>AAAA</data></dict></dict></plist>");

    private static byte[] ResourceFork(byte[] block)
    {
        byte[] fork = new byte[16 + 4 + block.Length];
        BinaryPrimitives.WriteInt32BigEndian(fork, 16);
        BinaryPrimitives.WriteInt32BigEndian(fork.AsSpan(8), 4 + block.Length);
        BinaryPrimitives.WriteInt32BigEndian(fork.AsSpan(16), block.Length);
        block.CopyTo(fork, 20);
        return fork;
    }
}
