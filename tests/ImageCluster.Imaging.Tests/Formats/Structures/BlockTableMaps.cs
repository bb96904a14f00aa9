using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Imaging.Tests.Formats.Vhdx;
using ImageCluster.Imaging.Tests.Formats.Vpc;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Structures;

/// <summary>Formats with one table of blocks.</summary>
internal static class BlockTableMaps
{
    private const int KiB = 1 << 10;
    private const int MiB = 1 << 20;
    private const int GuestSize = (2 * MiB) + 512;

    public static StructureMap Vdi()
    {
        const int Map = 0x200;
        const int Data = 0x400;
        byte[] image = Fill("vdi", "", out byte[] guest);
        Structure[] blocks = [.. Enumerable.Range(0, (image.Length - Data) / MiB).Select(static i => new Structure($"block {i}", Data + (i * MiB), MiB))];
        return new StructureMap
        {
            Format = "vdi",
            Image = image,
            Guest = guest,
            Structures = [new("header", 0, 0x1c8), new("block map", Map, 3 * 4), .. blocks],
            Fields =
            [
                new("version", 0x44, 4) { Beyond = [0x10002, 0x20001] },
                new("header size", 0x48, 4),
                new("type", 0x4c, 4),
                new("flags", 0x50, 4),
                new("block map offset", 0x154, 4) { Beyond = [0x201] },
                new("data offset", 0x158, 4) { Beyond = [0x401] },
                new("cylinders", 0x15c, 4),
                new("heads", 0x160, 4),
                new("sectors", 0x164, 4),
                new("sector size", 0x168, 4) { Beyond = [511, 1024] },
                new("disk size", 0x170, 8) { Beyond = [(0x1fffff80UL << 20) + 1, (3UL << 20) + 1] },
                new("block size", 0x178, 4) { Beyond = [1 << 19, 1 << 21] },
                new("block extra", 0x17c, 4),
                new("blocks in image", 0x180, 4) { Beyond = [2, 0x1fffff81] },
                new("blocks allocated", 0x184, 4),
                new("link UUID", 0x1a8, 8) { Beyond = [1] },
                new("parent UUID", 0x1b8, 8) { Beyond = [1] },
            ],
            Pointers =
            [
                Pointer.In(new("block map offset", 0x154, 4), 1),
                Pointer.In(new("data offset", 0x158, 4), 1),
                .. Entries(image, Map, 3, 4, bigEndian: false).Select(static entry => Pointer.In(entry, MiB, Data)),
            ],
        };
    }

    public static StructureMap Vpc()
    {
        const int Header = 512;
        const int Table = 1536;
        byte[] image = Fill("vpc", "force_size=on", out byte[] guest);
        Field[] entries = [.. Entries(image, Table, 2, 4, bigEndian: true)];
        return new StructureMap
        {
            Format = "vpc",
            Image = image,
            Guest = guest,
            Structures =
            [
                new("footer's copy", 0, 512), new("dynamic header", Header, 1024), new("block allocation table", Table, 512),
                .. entries.SelectMany(entry => new Structure[] { new($"bitmap of {entry.Name}", At(entry), 512), new($"block of {entry.Name}", At(entry) + 512, 2 * MiB) }),
                new("footer", image.Length - 512, 512),
            ],
            Fields =
            [
                .. FooterFields(0),
                new("header's data offset", Header + 8, 8, true),
                new("header's version", Header + 0x18, 4, true),
                new("table entries", Header + 0x1c, 4, true) { Beyond = [1, 0x20000000] },
                new("block size", Header + 0x20, 4, true) { Beyond = [256, 3 * MiB] },
            ],
            Pointers =
            [
                Pointer.In(new("data offset", 0x10, 8, true), 1),
                Pointer.In(new("table offset", Header + 0x10, 8, true), 1),
                .. entries.Select(static entry => Pointer.In(entry, 512)),
            ],
            Sealed = [new("footer's copy", 0, 512), new("dynamic header", Header, 1024), new("footer", image.Length - 512, 512)],
            Reseal = VpcTests.SealAll,
        };

        int At(Field entry) => (int)entry.Get(image) * 512;
    }

    public static StructureMap VpcFixed()
    {
        byte[] image = Fill("vpc", "subformat=fixed,force_size=on", out byte[] guest);
        return new StructureMap
        {
            Format = "vpc",
            Image = image,
            Guest = guest,
            Structures = [new("data", 0, image.Length - 512), new("footer", image.Length - 512, 512)],
            Fields = [.. FooterFields(image.Length - 512)],
            Sealed = [new("footer", image.Length - 512, 512)],
            Reseal = static image =>
            {
                VpcTests.Seal(image.AsSpan(image.Length - 512), 0x40);
                return image;
            },
        };
    }

    public static StructureMap Vhdx()
    {
        const int Table = 2 * MiB;
        const int Metadata = 3 * MiB;
        const int Items = Metadata + (64 * KiB);
        byte[] image = Fill("vhdx", "block_size=1M", out byte[] guest);
        Field[] entries = [.. Entries(image, Table, 3, 8, bigEndian: false)];
        return new StructureMap
        {
            Format = "vhdx",
            Image = image,
            Guest = guest,
            Structures =
            [
                new("file identifier", 0, 64 * KiB), new("header 1", 64 * KiB, 4 * KiB), new("header 2", 128 * KiB, 4 * KiB), new("region table 1", 192 * KiB, 64 * KiB),
                new("region table 2", 256 * KiB, 64 * KiB), new("log", MiB, MiB), new("block allocation table", Table, 3 * 8), new("metadata table", Metadata, 6 * 32),
                new("metadata items", Items, 40), new("disk size's item", Items + 8, 8), new("identity's item", Items + 16, 16), new("logical sector size's item", Items + 32, 4), new("physical sector size's item", Items + 36, 4),
                .. entries.Select(entry => new Structure($"block of {entry.Name}", (int)(entry.Get(image) & ~0xfffffUL), MiB)),
            ],
            Fields =
            [
                .. new[] { 64 * KiB, 128 * KiB }.SelectMany(static header => new Field[]
                {
                    new($"sequence number of the header at {header}", header + 8, 8), new($"log version of the header at {header}", header + 64, 2),
                    new($"version of the header at {header}", header + 66, 2), new($"log length of the header at {header}", header + 68, 4),
                }),
                .. new[] { 192 * KiB, 256 * KiB }.SelectMany(static table => new Field[]
                {
                    new($"entries of the region table at {table}", table + 8, 4), new($"length of the block allocation table at {table}", table + 40, 4),
                    new($"required, at {table}", table + 44, 4), new($"length of the metadata at {table}", table + 72, 4),
                }),
                new("metadata entries", Metadata + 10, 2) { Beyond = [2048] },
                .. Enumerable.Range(1, 5).Select(static i => new Field($"length of metadata item {i}", Metadata + (i * 32) + 20, 4) { Beyond = [MiB + 1] }),
                new("flags of metadata item 1", Metadata + 32 + 24, 4),
                new("block size", Items, 4) { Beyond = [512 * KiB, 3 * MiB, 512 * MiB] },
                new("flags", Items + 4, 4),
                new("disk size", Items + 8, 8) { Beyond = [(64UL << 40) + 512] },
                new("logical sector size", Items + 32, 4) { Beyond = [511, 1024, 8192] },
                new("physical sector size", Items + 36, 4),
            ],
            Pointers =
            [
                Pointer.In(new("log offset of header 1", (64 * KiB) + 72, 8), 1),
                Pointer.In(new("log offset of header 2", (128 * KiB) + 72, 8), 1),
                .. new[] { 192 * KiB, 256 * KiB }.SelectMany(static table => new[]
                {
                    Pointer.In(new($"offset of the block allocation table at {table}", table + 32, 8), 1),
                    Pointer.In(new($"offset of the metadata at {table}", table + 64, 8), 1),
                }),
                .. Enumerable.Range(1, 5).Select(static i => Pointer.In(new Field($"offset of metadata item {i}", Metadata + (i * 32) + 16, 4), 1, Metadata)),
                .. entries[..2].Select(static entry => new Pointer(entry, static place => place % MiB == 0 ? (uint)place | 6UL : null)),
            ],
            Sealed =
            [
                new("header 1", 64 * KiB, 4 * KiB), new("header 2", 128 * KiB, 4 * KiB), new("region table 1", 192 * KiB, 64 * KiB), new("region table 2", 256 * KiB, 64 * KiB),
            ],
            Reseal = VhdxTests.SealAll,
        };
    }

    public static StructureMap Parallels()
    {
        const int Table = 64;
        const int Cluster = 64 * KiB;
        byte[] image = Fill("parallels", "cluster_size=64k", out byte[] guest);
        Field[] entries = [.. Entries(image, Table, 32, 4, bigEndian: false).Where(entry => entry.Get(image) != 0).Take(2)];
        return new StructureMap
        {
            Format = "parallels",
            Image = image,
            Guest = guest,
            Structures =
            [
                new("header", 0, 64), new("block allocation table", Table, 33 * 4),
                .. entries.Select(entry => new Structure($"cluster of {entry.Name}", (int)entry.Get(image) * Cluster, Cluster)),
            ],
            Fields =
            [
                new("version", 16, 4) { Beyond = [3] },
                new("heads", 20, 4),
                new("cylinders", 24, 4),
                new("tracks", 28, 4) { Beyond = [(int.MaxValue / 513) + 1] },
                new("entries", 32, 4) { Beyond = [int.MaxValue / 4 + 1] },
                new("sectors", 36, 8) { Beyond = [long.MaxValue / 512 + 1] },
                new("in use", 44, 4),
                new("flags", 52, 4),
                new("extension offset", 56, 8),
            ],
            Pointers = [Pointer.In(new("data offset", 48, 4), 512), .. entries.Select(static entry => Pointer.In(entry, Cluster))],
        };
    }

    internal static byte[] Fill(string format, string options, out byte[] guest, int size = GuestSize)
    {
        // Every block has something, so that every entry points to one.
        guest = GuestContent.Make(size, 77);
        for (int at = 100; at < size; at += 512 * KiB)
        {
            guest[at] = 1;
        }

        MemoryLocator files = new();
        new FormatKit(format, files).Fill("image", guest, options);
        return files["image"];
    }

    internal static IEnumerable<Field> Entries(byte[] image, int table, int count, int width, bool bigEndian)
    {
        Assert.InRange(table + (count * width), 0, image.Length);
        return Enumerable.Range(0, count).Select(i => new Field($"entry {i} at {table}", table + (i * width), width, bigEndian));
    }

    private static Field[] FooterFields(int footer) =>
    [
        new("features", footer + 8, 4, true),
        new("version", footer + 0xc, 4, true),
        new("time stamp", footer + 0x18, 4, true),
        new("creator", footer + 0x1c, 4, true),
        new("original size", footer + 0x28, 8, true),
        new("current size", footer + 0x30, 8, true) { Beyond = [0xff000001UL * 512] },
        new("cylinders", footer + 0x38, 2, true),
        new("heads and sectors", footer + 0x3a, 2, true),
        new("type", footer + 0x3c, 4, true),
    ];
}
