using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Imaging.Tests.Formats.Vhdx;
using ImageCluster.Imaging.Tests.Formats.Vpc;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Structures;

/// <summary>Differencing disks, opened with their parent beside them.</summary>
internal static class DifferencingMaps
{
    private const int KiB = 1 << 10;
    private const int MiB = 1 << 20;
    private const int Size = 6 * MiB;

    public static StructureMap Vpc()
    {
        const int Header = 512;
        const int Table = 4096;
        const int Block = 2 * MiB;
        StructureMap map = Make("vpc", "force_size=on", Block, VpcDifferencingTests.Child);
        Field[] entries = [.. BlockTableMaps.Entries(map.Image, Table, 3, 4, bigEndian: true).Skip(1)];
        return map with
        {
            Structures =
            [
                new("footer's copy", 0, 512), new("dynamic header", Header, 1024), new("path", 1536, 24), new("block allocation table", Table, 512),
                .. entries.Select(entry => new Structure($"block of {entry.Name}", (int)entry.Get(map.Image) * 512, 512 + Block)), new("footer", map.Image.Length - 512, 512),
            ],
            Fields =
            [
                new("type", 0x3c, 4, true),
                new("table entries", Header + 0x1c, 4, true) { Beyond = [2, 0x20000000] },
                new("block size", Header + 0x20, 4, true) { Beyond = [3 * MiB] },
                new("parent's identity", Header + 0x28, 8, true),
                new("parent's time stamp", Header + 0x38, 4, true),
                new("locator", Header + 0x240, 4, true),
                new("locator's room", Header + 0x244, 4, true),
                new("path's length", Header + 0x248, 4, true),
            ],
            Pointers =
            [
                Pointer.In(new("data offset", 0x10, 8, true), 1), Pointer.In(new("table offset", Header + 0x10, 8, true), 1), Pointer.In(new("path's offset", Header + 0x250, 8, true), 1),
                .. entries.Select(static entry => Pointer.In(entry, 512)),
            ],
            Sealed = [new("footer's copy", 0, 512), new("dynamic header", Header, 1024), new("footer", map.Image.Length - 512, 512)],
            Reseal = VpcDifferencingTests.SealAll,
        };
    }

    public static StructureMap Vhdx()
    {
        const int Table = 2 * MiB;
        const int ChunkRatio = 4096;
        const int Metadata = 3 * MiB;
        const int Items = Metadata + (64 * KiB);
        const int Locator = Items + 64;
        StructureMap map = Make("vhdx", "block_size=1M", MiB, VhdxDifferencingTests.Child);
        Field partial = new("partial block", Table + 8, 8);
        Field whole = new("whole block", Table + 16, 8);
        Field bitmap = new("bitmap block", Table + (ChunkRatio * 8), 8);
        int locatorLength = (int)new Field("length", Metadata + (6 * 32) + 20, 4).Get(map.Image);
        return map with
        {
            Structures =
            [
                new("header 1", 64 * KiB, 4 * KiB), new("header 2", 128 * KiB, 4 * KiB), new("region table 1", 192 * KiB, 64 * KiB), new("region table 2", 256 * KiB, 64 * KiB),
                new("log", MiB, MiB), new("block allocation table", Table, (ChunkRatio + 1) * 8), new("metadata table", Metadata, 7 * 32), new("metadata items", Items, 40),
                new("parent locator", Locator, locatorLength), .. new[] { partial, whole, bitmap }.Select(entry => new Structure(entry.Name, (int)(entry.Get(map.Image) & ~0xfffffUL), MiB)),
            ],
            Fields =
            [
                new("metadata entries", Metadata + 10, 2) { Beyond = [2048] },
                new("locator's length", Metadata + (6 * 32) + 20, 4) { Beyond = [MiB + 1] },
                new("flags", Items + 4, 4),
                new("locator's type", Locator, 8) { Beyond = [1] },
                new("pairs", Locator + 18, 2) { Beyond = [(ulong)(locatorLength / 12) + 1] },
                .. Enumerable.Range(0, 2).SelectMany(i => new Field[]
                {
                    new($"offset of key {i}", Locator + 20 + (i * 12), 4) { Beyond = [(ulong)locatorLength + 1] }, new($"offset of value {i}", Locator + 24 + (i * 12), 4) { Beyond = [(ulong)locatorLength + 1] },
                    new($"length of key {i}", Locator + 28 + (i * 12), 2) { Beyond = [(ulong)locatorLength] }, new($"length of value {i}", Locator + 30 + (i * 12), 2) { Beyond = [(ulong)locatorLength] },
                }),
            ],
            Pointers =
            [
                Pointer.In(new("locator's offset", Metadata + (6 * 32) + 16, 4), 1, Metadata),
                Entry(partial, 7), Entry(whole, 6), Entry(bitmap, 6),
            ],
            Sealed = [new("region table 1", 192 * KiB, 64 * KiB), new("region table 2", 256 * KiB, 64 * KiB)],
            Reseal = VhdxTests.SealAll,
        };

        static Pointer Entry(Field field, ulong state) => new(field, place => place % MiB == 0 ? (uint)place | state : null);
    }

    private static StructureMap Make(string format, string parentOptions, int block, Func<byte[], byte[], byte[], IReadOnlyList<string>, byte[]> build)
    {
        byte[] guest = GuestContent.Make(Size, 65);
        MemoryLocator made = new();
        new FormatKit(format, made).Fill("parent", guest, parentOptions);
        byte[] partial = new byte[block];
        byte[] whole = new byte[block];
        new Random(1).NextBytes(whole);
        whole.CopyTo(guest, 2 * block);
        foreach (int sector in DifferencingTests.Here)
        {
            partial.AsSpan(sector * 512, 512).Fill((byte)(sector | 1));
            partial.AsSpan(sector * 512, 512).CopyTo(guest.AsSpan(block + (sector * 512)));
        }

        return new StructureMap
        {
            Format = format,
            Image = build(made["parent"], partial, whole, [".\\parent"]),
            Guest = guest,
            Structures = [],
            Others = new Dictionary<string, byte[]> { ["parent"] = made["parent"] },
            IsForQemu = false,
            Opener = (files, write, forCheck) => new ChainOpener(files).Open("image", new ChainOptions
            {
                Format = format,
                Mode = new OpenMode { Write = write, Lock = ImageLock.None },
                ForCheck = forCheck,
            }),
        };
    }
}
