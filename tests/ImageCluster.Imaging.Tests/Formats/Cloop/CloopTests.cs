using System.Buffers.Binary;
using System.IO.Compression;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.Cloop;

public sealed class CloopTests() : ReadOnlyFormatTests("cloop")
{
    private const int BlockSize = 64 << 10;
    private const int Blocks = 9;
    private const int TableAt = 136;

    protected override IEnumerable<Field> Fields(byte[] image) =>
    [
        new("block size", 128, 4, true),
        new("blocks", 132, 4, true),
        new("first offset", TableAt, 8, true),
        new("third offset", TableAt + 16, 8, true),
        new("last offset", TableAt + Blocks * 8, 8, true),
    ];

    protected override IEnumerable<int> Boundaries(byte[] image) => [TableAt, TableAt + 8, TableAt + (Blocks + 1) * 8, TableAt + (Blocks + 1) * 8 + 100];

    // QEMU takes a table that the file does not hold for one of zeros, which then do not rise.
    protected override bool IsBetterThanQemu(Field field, ulong value) => field.Name == "blocks" && value > 100;

    [Theory]
    [InlineData(-1)]
    [InlineData(-500)]
    public void ABlockWithAWrongByteOrChecksumIsAnErrorAndTheOthersAreRead(int fromItsEnd)
    {
        byte[] image = Build(out byte[] guest);
        long[] offsets = [.. Enumerable.Range(0, Blocks + 1).Select(i => BinaryPrimitives.ReadInt64BigEndian(image.AsSpan(TableAt + i * 8)))];
        int block = Enumerable.Range(0, Blocks - 1).MaxBy(i => offsets[i + 1] - offsets[i]);
        image[offsets[block + 1] + fromItsEnd] ^= 0x55;
        using LayeredDisk disk = Open(image);
        Assert.Throws<ImageException>(() => disk.Read(block * BlockSize, new byte[512]));
        Assert.Throws<ImageException>(() => disk.Read(block * BlockSize + 1000, new byte[512]));
        byte[] next = new byte[BlockSize];
        disk.Read((block + 1) * BlockSize, next);
        Assert.True(next.AsSpan().SequenceEqual(guest.AsSpan((block + 1) * BlockSize, BlockSize)));
    }

    protected override byte[] Build(out byte[] guest) => Make(out guest);

    internal static byte[] Make(out byte[] guest)
    {
        guest = GuestContent.Make(Blocks * BlockSize, 31);
        using MemoryStream packed = new();
        byte[] head = new byte[TableAt + (Blocks + 1) * 8];
        "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\nexit $?\n"u8.CopyTo(head);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(128), BlockSize);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(132), Blocks);
        for (int block = 0; block < Blocks; block++)
        {
            BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(TableAt + block * 8), head.Length + packed.Length);
            using ZLibStream stream = new(packed, CompressionLevel.Optimal, leaveOpen: true);
            stream.Write(guest, block * BlockSize, BlockSize);
        }

        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(TableAt + Blocks * 8), head.Length + packed.Length);
        return [.. head, .. packed.ToArray()];
    }
}
