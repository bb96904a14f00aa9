using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Conformance.Walk;

/// <summary>Images of formats that no program here writes; each the same in every run.</summary>
internal static class Samples
{
    private const int BlockSize = 64 << 10;
    private const int Sector = 512;

    /// <param name="format">bochs, cloop or dmg.</param>
    public static byte[] Make(string format) => format switch
    {
        "bochs" => Bochs(),
        "cloop" => Cloop(),
        "dmg" => Dmg(),
        _ => throw new ArgumentException($"no sample of {format}", nameof(format)),
    };

    // Five extents of which two were never written; they lie in the file in another order than in the guest.
    private static byte[] Bochs()
    {
        const int CatalogAt = 512;
        const int HeaderEnd = CatalogAt + Sector;
        uint[] places = [2, uint.MaxValue, 0, uint.MaxValue, 1];
        byte[] image = new byte[HeaderEnd + 3 * (Sector + BlockSize)];
        "Bochs Virtual HD Image"u8.CopyTo(image);
        "Redolog"u8.CopyTo(image.AsSpan(32));
        "Growing"u8.CopyTo(image.AsSpan(48));
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(64), 0x20000);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(68), CatalogAt);
        BinaryPrimitives.WriteInt32LittleEndian(image.AsSpan(72), places.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(76), Sector);
        BinaryPrimitives.WriteInt32LittleEndian(image.AsSpan(80), BlockSize);
        BinaryPrimitives.WriteInt64LittleEndian(image.AsSpan(88), places.Length * BlockSize);
        for (int extent = 0; extent < places.Length; extent++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(CatalogAt + extent * 4), places[extent]);
            if (places[extent] != uint.MaxValue)
            {
                // The first half of the extent's sectors were written.
                int at = CatalogAt + places.Length * 4 + (int)places[extent] * (Sector + BlockSize);
                image.AsSpan(at, BlockSize / Sector / 16).Fill(0xFF);
                image.AsSpan(at + Sector, BlockSize / 2).Fill((byte)(extent + 1));
            }
        }

        return image;
    }

    private static byte[] Cloop()
    {
        const int Blocks = 5;
        const int TableAt = 136;
        byte[] guest = GuestContent.Make(Blocks * BlockSize, 31);
        byte[] head = new byte[TableAt + (Blocks + 1) * 8];
        "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\nexit $?\n"u8.CopyTo(head);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(128), BlockSize);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(132), Blocks);
        using MemoryStream packed = new();
        for (int block = 0; block <= Blocks; block++)
        {
            BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(TableAt + block * 8), head.Length + packed.Length);
            if (block < Blocks)
            {
                packed.Write(Deflate(guest.AsSpan(block * BlockSize, BlockSize)));
            }
        }

        return [.. head, .. packed.ToArray()];
    }

    // Chunks as they are, of zeros, and compressed.
    private static byte[] Dmg()
    {
        const uint Raw = 1;
        const uint Zero = 0;
        const uint Zlib = 0x80000005;
        const uint LastEntry = 0xffffffff;
        const int Head = 204;
        uint[] types = [Raw, Zero, Zlib, Zlib, Raw, LastEntry];
        using MemoryStream data = new();
        byte[] list = new byte[Head + types.Length * 40];
        "mish"u8.CopyTo(list);
        BinaryPrimitives.WriteInt32BigEndian(list.AsSpan(4), 1);
        BinaryPrimitives.WriteInt64BigEndian(list.AsSpan(16), (types.Length - 1) * (BlockSize / Sector));
        BinaryPrimitives.WriteInt32BigEndian(list.AsSpan(200), types.Length);
        byte[] guest = GuestContent.Make(types.Length * BlockSize, 51);
        for (int i = 0; i < types.Length; i++)
        {
            Span<byte> entry = list.AsSpan(Head + i * 40, 40);
            long start = data.Length;
            ReadOnlySpan<byte> part = guest.AsSpan(i * BlockSize, BlockSize);
            data.Write(types[i] switch { Raw => part, Zlib => Deflate(part), _ => [] });
            BinaryPrimitives.WriteUInt32BigEndian(entry, types[i]);
            BinaryPrimitives.WriteInt64BigEndian(entry[8..], i * (BlockSize / Sector));
            BinaryPrimitives.WriteInt64BigEndian(entry[16..], types[i] == LastEntry ? 0 : BlockSize / Sector);
            BinaryPrimitives.WriteInt64BigEndian(entry[24..], start);
            BinaryPrimitives.WriteInt64BigEndian(entry[32..], data.Length - start);
        }

        byte[] plist = Encoding.ASCII.GetBytes(
            "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>resource-fork</key><dict><key>blkx</key><array><dict><key>Data</key><data>\n"
            + Convert.ToBase64String(list, Base64FormattingOptions.InsertLineBreaks)
            + "\n</data></dict></array></dict></dict></plist>");
        byte[] trailer = new byte[512];
        "koly"u8.CopyTo(trailer);
        BinaryPrimitives.WriteInt32BigEndian(trailer.AsSpan(4), 4);
        BinaryPrimitives.WriteInt32BigEndian(trailer.AsSpan(8), trailer.Length);
        BinaryPrimitives.WriteInt64BigEndian(trailer.AsSpan(0x20), data.Length);
        BinaryPrimitives.WriteInt64BigEndian(trailer.AsSpan(0xd8), data.Length);
        BinaryPrimitives.WriteInt64BigEndian(trailer.AsSpan(0xe0), plist.Length);
        BinaryPrimitives.WriteInt64BigEndian(trailer.AsSpan(0x1ec), (types.Length - 1) * (BlockSize / Sector));
        return [.. data.ToArray(), .. plist, .. trailer];
    }

    private static byte[] Deflate(ReadOnlySpan<byte> bytes)
    {
        using MemoryStream packed = new();
        using (ZLibStream stream = new(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            stream.Write(bytes);
        }

        return packed.ToArray();
    }
}
