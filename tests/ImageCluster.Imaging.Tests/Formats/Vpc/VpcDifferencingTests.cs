using System.Buffers.Binary;
using System.Text;
using ImageCluster.Imaging.Tests.Formats.BlockTables;

namespace ImageCluster.Imaging.Tests.Formats.Vpc;

public sealed class VpcDifferencingTests() : DifferencingTests("vpc", "VHD", "vhd")
{
    private const int Block = 2 * MiB;
    private const int HeaderAt = 512;
    private const int PathsAt = 1536;
    private const int TableAt = 4096;
    private const int FirstBlockAt = TableAt + 512;

    protected override string ParentOptions => "force_size=on";

    protected override int BlockSize => Block;

    protected override int MetadataLength => FirstBlockAt + 512;

    protected override IEnumerable<int> Cuts(byte[] image) => [0, 512, 1024, 1536, 2000, TableAt, TableAt + 4, FirstBlockAt, FirstBlockAt + 512, image.Length - 512, image.Length - 1];

    protected override IEnumerable<Field> Fields =>
    [
        new("table offset", HeaderAt + 0x10, 8, true),
        new("table entries", HeaderAt + 0x1c, 4, true),
        new("block size", HeaderAt + 0x20, 4, true),
        new("parent name", HeaderAt + 0x40, 8, true),
        new("locator", HeaderAt + 0x240, 4, true),
        new("locator's room", HeaderAt + 0x244, 4, true),
        new("locator's length", HeaderAt + 0x248, 4, true),
        new("locator's offset", HeaderAt + 0x250, 8, true),
        new("entry", TableAt + 4, 4, true),
        new("second entry", TableAt + 8, 4, true),
    ];

    protected override byte[] Reseal(byte[] image) => SealAll(image);

    internal static byte[] SealAll(byte[] image)
    {
        Seal(image.AsSpan(0, 512), 0x40);
        Seal(image.AsSpan(HeaderAt, 1024), 0x24);
        return image;
    }

    protected override byte[] BuildChild(byte[] parent, byte[] partial, byte[] whole, IReadOnlyList<string> paths) => Child(parent, partial, whole, paths);

    internal static byte[] Child(byte[] parent, byte[] partial, byte[] whole, IReadOnlyList<string> paths)
    {
        byte[] footer = parent[..512];
        BinaryPrimitives.WriteUInt32BigEndian(footer.AsSpan(0x3c), 4);
        Guid.NewGuid().TryWriteBytes(footer.AsSpan(0x44));
        Seal(footer, 0x40);

        byte[] header = new byte[1024];
        "cxsparse"u8.CopyTo(header);
        header.AsSpan(8, 8).Fill(0xff);
        BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(0x10), TableAt);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(0x18), 0x10000);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(0x1c), Size / Block);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(0x20), Block);
        parent.AsSpan(0x44, 16).CopyTo(header.AsSpan(0x28));
        parent.AsSpan(0x18, 4).CopyTo(header.AsSpan(0x38));
        string name = paths[0][(paths[0].LastIndexOf('\\') + 1)..];
        Encoding.BigEndianUnicode.GetBytes(name, header.AsSpan(0x40));

        byte[] image = new byte[FirstBlockAt + 2 * (512 + Block) + 512];
        for (int i = 0; i < paths.Count; i++)
        {
            byte[] path = Encoding.Unicode.GetBytes(paths[i]);
            Span<byte> locator = header.AsSpan(0x240 + i * 24);
            (paths[i].StartsWith('.') ? "W2ru"u8 : "W2ku"u8).CopyTo(locator);
            BinaryPrimitives.WriteInt32BigEndian(locator[4..], 512);
            BinaryPrimitives.WriteInt32BigEndian(locator[8..], path.Length);
            BinaryPrimitives.WriteInt64BigEndian(locator[16..], PathsAt + i * 512);
            path.CopyTo(image, PathsAt + i * 512);
        }

        Seal(header, 0x24);
        footer.CopyTo(image, 0);
        header.CopyTo(image, HeaderAt);
        image.AsSpan(TableAt, 512).Fill(0xff);
        int second = FirstBlockAt + 512 + Block;
        BinaryPrimitives.WriteInt32BigEndian(image.AsSpan(TableAt + 4), FirstBlockAt / 512);
        BinaryPrimitives.WriteInt32BigEndian(image.AsSpan(TableAt + 8), second / 512);
        foreach (int sector in Here)
        {
            image[FirstBlockAt + sector / 8] |= (byte)(0x80 >> (sector % 8));
        }

        partial.CopyTo(image, FirstBlockAt + 512);
        image.AsSpan(second, 512).Fill(0xff);
        whole.CopyTo(image, second + 512);
        footer.CopyTo(image, image.Length - 512);
        return image;
    }

    private static void Seal(Span<byte> structure, int checksumAt)
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
