using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Imaging.Tests.Formats.Bochs;
using ImageCluster.Imaging.Tests.Formats.Cloop;
using ImageCluster.Imaging.Tests.Formats.Dmg;

namespace ImageCluster.Imaging.Tests.Formats.Structures;

/// <summary>Formats that are only read.</summary>
internal static class ReadOnlyMaps
{
    public static StructureMap Bochs()
    {
        const int Catalog = 512;
        const int Data = Catalog + (6 * 4);
        const int Extent = 512 + (64 << 10);
        byte[] image = BochsTests.Make(out byte[] guest);
        return new StructureMap
        {
            Format = "bochs",
            Image = image,
            Guest = guest,
            Structures =
            [
                new("header", 0, Catalog), new("catalog", Catalog, 6 * 4),
                .. Enumerable.Range(0, 4).SelectMany(static i => new Structure[] { new($"bitmap {i}", Data + (i * Extent), 512), new($"extent {i}", Data + (i * Extent) + 512, 64 << 10) }),
            ],
            Fields =
            [
                new("version", 64, 4) { Beyond = [0x30000] },
                new("catalog entries", 72, 4) { Beyond = [5, 0x100001] },
                new("bitmap size", 76, 4),
                new("extent size", 80, 4) { Beyond = [256, 0x1000000, (64 << 10) + 512] },
                new("disk size", 88, 8) { Beyond = [(6 * (64 << 10)) + 512] },
            ],
            Pointers =
            [
                Pointer.In(new("header size", 68, 4), 1),
                .. BlockTableMaps.Entries(image, Catalog, 6, 4, bigEndian: false).Where(entry => entry.Get(image) != uint.MaxValue).Select(static entry => Pointer.In(entry, Extent, Data)),
            ],
        };
    }

    public static StructureMap Cloop()
    {
        const int Table = 136;
        const int Blocks = 9;
        byte[] image = CloopTests.Make(out byte[] guest);
        Field[] offsets = [.. BlockTableMaps.Entries(image, Table, Blocks + 1, 8, bigEndian: true)];
        return new StructureMap
        {
            Format = "cloop",
            Image = image,
            Guest = guest,
            Structures =
            [
                new("header", 0, 136), new("offsets", Table, (Blocks + 1) * 8),
                .. offsets.Zip(offsets.Skip(1), (from, to) => new Structure($"block of {from.Name}", (int)from.Get(image), (int)(to.Get(image) - from.Get(image)))),
            ],
            Fields =
            [
                new("block size", 128, 4, true) { Beyond = [511, (64 << 10) + 1, (64 << 20) + 512] },
                new("blocks", 132, 4, true) { Beyond = [((uint.MaxValue - 1) / 8) + 1] },
                offsets[^1],
            ],
            Pointers = [.. offsets[..^1].Select(static offset => Pointer.In(offset, 1))],
            Sealed = [.. offsets.Zip(offsets.Skip(1), (_, to) => new Structure($"checksum before {to.Name}", (int)to.Get(image) - 4, 4))],
        };
    }

    public static StructureMap DmgByPropertyList() => Dmg(asResourceFork: false);

    public static StructureMap DmgByResourceFork() => Dmg(asResourceFork: true);

    private static StructureMap Dmg(bool asResourceFork)
    {
        const int Chunk = 128 * 512;
        byte[] image = DmgTests.Build(out byte[] guest, asResourceFork);
        int trailer = image.Length - 512;
        Field list = new("list's offset", trailer + (asResourceFork ? 0x28 : 0xd8), 8, true);
        int at = (int)list.Get(image);
        StructureMap map = new()
        {
            Format = "dmg",
            Image = image,
            Guest = guest,
            Structures = [new("first chunk", 0, Chunk), new("list of chunks", at, trailer - at), new("trailer", trailer, 512)],
            Fields =
            [
                new("version", trailer + 4, 4, true),
                new("trailer's length", trailer + 8, 4, true),
                new("data fork's offset", trailer + 0x18, 8, true),
                new("data fork's length", trailer + 0x20, 8, true),
                new("list's length", trailer + (asResourceFork ? 0x30 : 0xe0), 8, true) { Beyond = [(16 << 20) + 1] },
                new("sectors", trailer + 0x1ec, 8, true) { Beyond = [long.MaxValue / 512 + 1] },
            ],
            Pointers = [Pointer.In(list, 1)],
        };
        if (!asResourceFork)
        {
            return map;
        }

        // A fork's header, the length of the block, its head, and 40 bytes for each of the chunks.
        int block = at + 20;
        int[] chunks = [0, 2, 4, 6, 7];
        Field[] offsets = [.. chunks.Select(i => new Field($"offset of chunk {i}", block + 204 + (i * 40) + 24, 8, true))];
        return map with
        {
            Structures =
            [
                new("fork's header", at, 16), new("block's head", block, 204), .. Enumerable.Range(0, 11).Select(i => new Structure($"entry {i}", block + 204 + (i * 40), 40)),
                .. offsets.Select(offset => new Structure(offset.Name, (int)offset.Get(image), (int)new Field("length", offset.Offset + 8, 8, true).Get(image))), .. map.Structures,
            ],
            Fields =
            [
                .. map.Fields, new("data of the fork", at, 4, true), new("length of the data", at + 8, 4, true), new("length of the block", at + 16, 4, true),
                new("first sector of the block", block + 8, 8, true), new("data offset of the block", block + 0x18, 8, true),
                .. chunks.SelectMany(i => new Field[]
                {
                    new($"type of chunk {i}", block + 204 + (i * 40), 4, true), new($"sector of chunk {i}", block + 204 + (i * 40) + 8, 8, true),
                    new($"sectors of chunk {i}", block + 204 + (i * 40) + 16, 8, true) { Beyond = [(64 << 11) + 1] },
                    new($"length of chunk {i}", block + 204 + (i * 40) + 32, 8, true) { Beyond = [(64 << 20) + 1] },
                }),
            ],
            Pointers = [.. map.Pointers, .. offsets.Select(static offset => Pointer.In(offset, 1))],
        };
    }
}
