using System.Buffers.Binary;
using System.Text;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vhdx;

public sealed class VhdxDifferencingTests() : DifferencingTests("vhdx", "VHDX", "vhdx")
{
    private const int KiB = 1 << 10;
    private const int BatAt = 2 * MiB;
    private const int MetadataAt = 3 * MiB;
    private const int ItemsAt = MetadataAt + 64 * KiB;
    private const int LocatorAt = 64;
    private const int DataAt = 8 * MiB;
    private const int ChunkRatio = 4096;
    private static readonly Guid ParentLocator = new("a8d35f2d-b30b-454d-abf7-d3d84834ab0c");
    private static readonly Guid VhdxParent = new("b04aefb7-d19e-4a81-b789-25b8e9445913");

    protected override string ParentOptions => "block_size=1M";

    protected override int BlockSize => MiB;

    protected override int MetadataLength => ItemsAt + 1024;

    protected override IEnumerable<int> Cuts(byte[] image) => [0, 64 * KiB, MiB, BatAt + 8, BatAt + ChunkRatio * 8, MetadataAt, ItemsAt + LocatorAt + 30, DataAt, DataAt + MiB, DataAt + 2 * MiB];

    protected override IEnumerable<Field> Fields =>
    [
        new("items", MetadataAt + 10, 2),
        new("locator's offset", MetadataAt + (6 * 32) + 16, 4),
        new("locator's length", MetadataAt + (6 * 32) + 20, 4),
        new("locator's type", ItemsAt + LocatorAt, 8),
        new("pairs", ItemsAt + LocatorAt + 18, 2),
        new("key's offset", ItemsAt + LocatorAt + 20, 4),
        new("value's offset", ItemsAt + LocatorAt + 24, 4),
        new("key's length", ItemsAt + LocatorAt + 28, 2),
        new("value's length", ItemsAt + LocatorAt + 30, 2),
        new("second value's offset", ItemsAt + LocatorAt + 36, 4),
        new("second value's length", ItemsAt + LocatorAt + 42, 2),
        new("partial block's entry", BatAt + (PartialBlock * 8), 8),
        new("whole block's entry", BatAt + (2 * 8), 8),
        new("bitmap block's entry", BatAt + (ChunkRatio * 8), 8),
    ];

    [Fact]
    public void AParentThatWasWrittenSinceIsRefused()
    {
        WhatIsNotInTheChildIsReadFromTheParent();
        using (LayeredDisk parent = Kit.Open(Parent, write: true))
        {
            parent.Write(0, new byte[512]);
        }

        AssertRefused();
    }

    protected override byte[] BuildChild(byte[] parent, byte[] partial, byte[] whole, IReadOnlyList<string> paths) => Child(parent, partial, whole, paths);

    internal static byte[] Child(byte[] parent, byte[] partial, byte[] whole, IReadOnlyList<string> paths)
    {
        MemoryLocator template = new();
        new FormatKit("vhdx", template).Create("child", Size, "block_size=1M,block_state_zero=off");
        byte[] image = [.. template["child"][..DataAt], .. new byte[3 * MiB]];

        // The parent is known by the data write id of its header that counts.
        Span<byte> first = parent.AsSpan(64 * KiB);
        Span<byte> second = parent.AsSpan(128 * KiB);
        bool firstCounts = BinaryPrimitives.ReadUInt64LittleEndian(first[8..]) > BinaryPrimitives.ReadUInt64LittleEndian(second[8..]);
        Guid linkage = new((firstCounts ? first : second).Slice(32, 16));
        byte[] locator = Locator([("parent_linkage", linkage.ToString("B")), (paths[0].StartsWith('.') ? "relative_path" : "absolute_win32_path", paths[0])]);
        image[ItemsAt + 4] |= 2;
        image[MetadataAt + 10] = 6;
        Span<byte> entry = image.AsSpan(MetadataAt + 6 * 32, 32);
        ParentLocator.TryWriteBytes(entry);
        BinaryPrimitives.WriteInt32LittleEndian(entry[16..], 64 * KiB + LocatorAt);
        BinaryPrimitives.WriteInt32LittleEndian(entry[20..], locator.Length);
        BinaryPrimitives.WriteInt32LittleEndian(entry[24..], 4);
        locator.CopyTo(image, ItemsAt + LocatorAt);

        BinaryPrimitives.WriteInt64LittleEndian(image.AsSpan(BatAt + PartialBlock * 8), DataAt | 7);
        BinaryPrimitives.WriteInt64LittleEndian(image.AsSpan(BatAt + 2 * 8), (DataAt + MiB) | 6);
        BinaryPrimitives.WriteInt64LittleEndian(image.AsSpan(BatAt + ChunkRatio * 8), (DataAt + 2 * MiB) | 6);
        partial.CopyTo(image, DataAt);
        whole.CopyTo(image, DataAt + MiB);
        int bitmap = DataAt + 2 * MiB + PartialBlock * (MiB / 512 / 8);
        foreach (int sector in Here)
        {
            image[bitmap + sector / 8] |= (byte)(1 << (sector % 8));
        }

        return image;
    }

    private static byte[] Locator((string Key, string Value)[] pairs)
    {
        int text = 20 + pairs.Length * 12;
        byte[] locator = new byte[512];
        VhdxParent.TryWriteBytes(locator);
        BinaryPrimitives.WriteInt16LittleEndian(locator.AsSpan(18), (short)pairs.Length);
        for (int i = 0; i < pairs.Length; i++)
        {
            Span<byte> entry = locator.AsSpan(20 + i * 12);
            foreach ((string part, int offsetAt, int lengthAt) in ((string, int, int)[])[(pairs[i].Key, 0, 8), (pairs[i].Value, 4, 10)])
            {
                int length = Encoding.Unicode.GetBytes(part, locator.AsSpan(text));
                BinaryPrimitives.WriteInt32LittleEndian(entry[offsetAt..], text);
                BinaryPrimitives.WriteInt16LittleEndian(entry[lengthAt..], (short)length);
                text += length;
            }
        }

        return locator[..text];
    }
}
