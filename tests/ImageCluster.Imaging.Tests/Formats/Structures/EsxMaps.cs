using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Archives;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Imaging.Tests.Formats.Vmdk;
using ImageCluster.Testing.Archives;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Structures;

/// <summary>What comes off ESXi, and a disk inside an OVA.</summary>
internal static class EsxMaps
{
    private const int Sector = 512;
    private const int GuestSize = 1 << 20;

    public static StructureMap Vmfs()
    {
        byte[] guest = GuestContent.Make(GuestSize, 61);
        return Beside("vmfs", "VMFS", guest, guest) with { Structures = [new("data", 0, guest.Length)] };
    }

    public static StructureMap VmfsSparse()
    {
        const int Directory = 4 * Sector;
        byte[] guest = GuestContent.Make(GuestSize, 62);
        byte[] image = EsxImages.Cowd(guest, 8, 3);
        Field table = new("directory entry", Directory, 4);
        int at = (int)table.Get(image) * Sector;
        Field[] grains = [.. BlockTableMaps.Entries(image, at, 256, 4, bigEndian: false).Where(entry => entry.Get(image) != 0).Take(3)];
        return Beside("vmfsSparse", "VMFSSPARSE", guest, image) with
        {
            Structures =
            [
                new("header", 0, Directory), new("grain directory", Directory, 4), new("grain table", at, 4096 * 4),
                .. grains.Select(entry => new Structure($"grain of {entry.Name}", (int)entry.Get(image) * Sector, 8 * Sector)),
            ],
            Fields =
            [
                new("version", 4, 4),
                new("flags", 8, 4),
                new("capacity", 12, 4),
                new("grain size", 16, 4) { Beyond = [0x200001] },
                new("directory entries", 24, 4),
                new("next free sector", 28, 4),
            ],
            Pointers = [Pointer.In(new("directory's offset", 20, 4), Sector), Pointer.In(table, Sector), .. grains.Select(static entry => Pointer.In(entry, Sector))],
        };
    }

    public static StructureMap SeSparse()
    {
        const int Directory = 4 * Sector;
        const ulong Allocated = 3UL << 60;
        byte[] guest = GuestContent.Make(GuestSize, 63);
        byte[] image = EsxImages.SeSparse(guest, 3);
        int table = (int)Word(18).Get(image) * Sector;
        int data = (int)Word(24).Get(image) * Sector;
        Field[] grains = [.. BlockTableMaps.Entries(image, table, 256, 8, bigEndian: false).Where(entry => entry.Get(image) >> 60 == 3).Take(3)];
        return Beside("seSparse", "SESPARSE", guest, image) with
        {
            Structures =
            [
                new("constant header", 0, Sector), new("volatile header", Sector, Sector), new("grain directory", Directory, 8), new("grain table", table, 4096 * 8),
                .. grains.Select(entry => new Structure($"grain of {entry.Name}", data + (int)((entry.Get(image) >> 48 & 0xfff) * 4096), 4096)),
                new("grains", data, 4096),
            ],
            Fields =
            [
                Word(1) with { Beyond = [0x0000000200000002, 0x0000000300000001] },
                Word(2),
                Word(3) with { Beyond = [7, 16] },
                Word(4) with { Beyond = [32, 128] },
                .. new[] { 5, 6, 7, 8, 9, 11, 12, 13, 14, 15 }.Select(Word),
                Word(17) with { Beyond = [0, 1UL << 24] },
                Word(19),
                Word(25),
                new("state of the volatile header", Sector + 16, 8),
            ],
            Pointers =
            [
                Pointer.In(Word(10), Sector), Pointer.In(Word(16), Sector), Pointer.In(Word(18), Sector), Pointer.In(Word(24), Sector),
                new(new("directory entry", Directory, 8), place => place >= table && (place - table) % (4096 * 8) == 0 ? 1UL << 60 | (uint)((place - table) / (4096 * 8)) : null),
                .. grains.Select(entry => new Pointer(entry, place => place >= data && (place - data) % 4096 == 0 ? Allocated | ((ulong)(uint)((place - data) / 4096) << 48) : null)),
            ],
        };

        static Field Word(int number) => new($"word {number}", number * 8, 8);
    }

    public static StructureMap Ova()
    {
        byte[] guest = GuestContent.Make(GuestSize, 64);
        MemoryLocator made = new();
        new FormatKit("vmdk", made).Fill("disk", guest, "subformat=streamOptimized");
        byte[] image = OvaBuilder.Ova(("disk1.vmdk", made["disk"]));
        OvaArchive archive = OvaArchive.Read(new MemoryFile("image", image));
        TarEntry disk = archive.Disks[0].Entry;
        TarEntry manifest = archive.Manifest!;
        return new StructureMap
        {
            Format = "vmdk",
            Image = image,
            Guest = guest,
            IsForQemu = false,
            Opener = static (files, write, forCheck) => new ChainOpener(new ProtocolLocator(files, new ArchiveProtocol())).Open("ova:image#disk1.vmdk", new ChainOptions
            {
                Format = "vmdk",
                Mode = new OpenMode { Write = write, Lock = ImageLock.None },
                ForCheck = forCheck,
            }),
            Structures =
            [
                new("descriptor's header", 0, Sector), new("descriptor", Sector, (int)disk.Offset - (2 * Sector)), new("disk's header", (int)disk.Offset - Sector, Sector),
                new("disk", (int)disk.Offset, (int)disk.Length), new("manifest's header", (int)manifest.Offset - Sector, Sector), new("manifest", (int)manifest.Offset, (int)manifest.Length),
            ],
            Sealed = [new("descriptor's header", 0, Sector), new("disk's header", (int)disk.Offset - Sector, Sector)],
        };
    }

    private static StructureMap Beside(string type, string line, byte[] guest, byte[] image) => new()
    {
        Format = "vmdk",
        Image = image,
        Guest = guest,
        Structures = [],
        Others = new Dictionary<string, byte[]> { ["disk"] = EsxImages.Descriptor(type, $"RW {GuestSize / Sector} {line} \"image\"") },
        Top = "disk",
    };
}
