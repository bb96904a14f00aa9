using System.Text;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Structures;

/// <summary>LUKS, version 1, with a password in key slot 0.</summary>
internal static class LuksMap
{
    private const int FirstSlot = 208;
    private const int SlotLength = 48;
    private const int Sector = 512;

    public static StructureMap Luks()
    {
        byte[] guest = GuestContent.Make((64 << 10) + 512, 5);
        MemoryLocator made = new();
        new FormatKit("luks", made) { Secret = Secret }.Fill("image", guest, "iter-time=1,cipher-alg=aes-128", threads: 1);
        byte[] image = made["image"];
        int payload = Number(104) * Sector;
        int material = Number(108) * 4000;
        return new StructureMap
        {
            Format = "luks",
            Image = image,
            Guest = guest,
            IsForQemu = false,
            MayEndWithinASector = true,
            Opener = static (files, write, forCheck) => new FormatKit("luks", files) { Secret = Secret }.Open("image", write, forCheck),
            Structures =
            [
                new("header", 0, FirstSlot), .. Enumerable.Range(0, 8).Select(i => new Structure($"key slot {i}", FirstSlot + (i * SlotLength), SlotLength)),
                .. Enumerable.Range(0, 8).Select(i => new Structure($"key material {i}", Number(FirstSlot + (i * SlotLength) + 40) * Sector, material)),
                new("payload", payload, image.Length - payload),
            ],
            Fields =
            [
                new("version", 6, 2, true) { Beyond = [2] },
                new("key length", 108, 4, true) { Beyond = [15, 33, 64] },
                new("iterations of the digest", 164, 4, true) { Beyond = [(1 << 29) + 1] },
                .. Enumerable.Range(0, 8).SelectMany(static i => new Field[]
                {
                    new($"state of key slot {i}", FirstSlot + (i * SlotLength), 4, true) { Beyond = [0x00AC71F4] },
                    new($"iterations of key slot {i}", FirstSlot + (i * SlotLength) + 4, 4, true) { Beyond = i == 0 ? [(1 << 29) + 1] : [] },
                    new($"stripes of key slot {i}", FirstSlot + (i * SlotLength) + 44, 4, true) { Beyond = [3999, 4001] },
                }),
            ],
            Pointers =
            [
                Pointer.In(new("payload", 104, 4, true), Sector),
                .. Enumerable.Range(0, 8).Select(static i => Pointer.In(new Field($"material of key slot {i}", FirstSlot + (i * SlotLength) + 40, 4, true), Sector)),
            ],
            Slow = [new("iterations of the digest", 164, 4, true), .. Enumerable.Range(0, 8).Select(static i => new Field($"iterations of key slot {i}", FirstSlot + (i * SlotLength) + 4, 4, true))],
            Sealed = [new("digest of the master key", 112, 20), new("salt of the digest", 132, 32), new("salt of key slot 0", FirstSlot + 8, 32), new("key material 0", 4096, material)],
        };

        int Number(int at) => (int)new Field("number", at, 4, true).Get(image);
    }

    private static byte[]? Secret(string option) => option == "key-secret" ? Encoding.UTF8.GetBytes("abc") : null;
}
