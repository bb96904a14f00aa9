using System.Buffers.Binary;
using System.Text;
using ImageCluster.Imaging.Extents;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>
/// Builds what only ESX writes, for want of one: vmfsSparse (COWD) and seSparse extents with grains in a shuffled order, some absent, and
/// the descriptors that name them.
/// </summary>
internal static class EsxImages
{
    private const int Sector = 512;

    public static byte[] Descriptor(string createType, string extents, string? parent = null) => Encoding.UTF8.GetBytes(
        $"# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=fffffffe\nparentCID={(parent is null ? "ffffffff" : "fffffffe")}\nisNativeSnapshot=\"no\"\ncreateType=\"{createType}\"\n" +
        (parent is null ? "" : $"parentFileNameHint=\"{parent}\"\n") +
        $"\n# Extent description\n{extents}\n\n# The Disk Data Base\n#DDB\n\nddb.adapterType = \"lsilogic\"\nddb.longContentID = \"00112233445566778899aabbfffffffe\"\n");

    /// <summary>A COWD extent.</summary>
    /// <param name="guest">The guest's bytes; grains of zeros are absent.</param>
    /// <param name="grainSectors">Sectors of a grain.</param>
    /// <param name="seed">Decides the order of the grains.</param>
    public static byte[] Cowd(ReadOnlySpan<byte> guest, int grainSectors, int seed)
    {
        int grain = grainSectors * Sector;
        int grains = (guest.Length + grain - 1) / grain;
        int tables = (grains + 4095) / 4096;
        int directorySector = 4;
        int next = directorySector + (((tables * 4) + Sector - 1) / Sector);
        uint[] directory = new uint[tables];
        uint[] entries = new uint[tables * 4096];
        for (int table = 0; table < tables; table++)
        {
            // The last table is missing where it has nothing to say.
            int from = table * 4096 * grain;
            if (!ZeroScan.IsZero(guest[from..Math.Min(guest.Length, from + (4096 * grain))]))
            {
                directory[table] = (uint)next;
                next += 32;
            }
        }

        foreach (int index in Shuffled(grains, seed))
        {
            if (!ZeroScan.IsZero(guest[(index * grain)..Math.Min(guest.Length, (index + 1) * grain)]))
            {
                entries[index] = (uint)next;
                next += grainSectors;
            }
        }

        byte[] file = new byte[next * Sector];
        "COWD"u8.CopyTo(file);
        uint[] header = [1, 3, (uint)(guest.Length / Sector), (uint)grainSectors, (uint)directorySector, (uint)tables, (uint)next];
        for (int i = 0; i < header.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(4 + (i * 4)), header[i]);
        }

        for (int table = 0; table < tables; table++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan((directorySector * Sector) + (table * 4)), directory[table]);
            for (int i = 0; directory[table] > 0 && i < 4096; i++)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(((int)directory[table] * Sector) + (i * 4)), entries[(table * 4096) + i]);
            }
        }

        for (int index = 0; index < grains; index++)
        {
            if (entries[index] > 0)
            {
                guest[(index * grain)..Math.Min(guest.Length, (index + 1) * grain)].CopyTo(file.AsSpan((int)entries[index] * Sector));
            }
        }

        return file;
    }

    /// <summary>A seSparse extent. Grains of zeros are absent, unmapped or zero in turn.</summary>
    public static byte[] SeSparse(ReadOnlySpan<byte> guest, int seed)
    {
        const int grain = 8 * Sector;
        const int tableBytes = 4096 * 8;
        int grains = (guest.Length + grain - 1) / grain;
        int tables = (grains + 4095) / 4096;
        int directorySectors = ((tables * 8) + Sector - 1) / Sector;
        int tablesSector = 4 + directorySectors;
        int grainsSector = tablesSector + (tables * 64);
        ulong[] entries = new ulong[tables * 4096];
        ulong next = 0;
        foreach (int index in Shuffled(grains, seed))
        {
            bool zero = ZeroScan.IsZero(guest[(index * grain)..Math.Min(guest.Length, (index + 1) * grain)]);
            entries[index] = zero ? ((ulong)(index % 3) << 60) : (3UL << 60) | ((next & 0xFFF) << 48) | (next >> 12);
            next += zero ? 0UL : 1;
        }

        byte[] file = new byte[(grainsSector * Sector) + ((int)next * grain)];
        ulong[] header = new ulong[26];
        header[0] = 0xCAFEBABE;
        header[1] = 0x0000000200000001;
        header[2] = (ulong)(guest.Length / Sector);
        header[3] = 8;
        header[4] = 64;
        header[10] = 1;
        header[11] = 1;
        header[16] = 4;
        header[17] = (ulong)directorySectors;
        header[18] = (ulong)tablesSector;
        header[19] = (ulong)tables * 64;
        header[24] = (ulong)grainsSector;
        header[25] = next * 8;
        for (int i = 0; i < header.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(i * 8), header[i]);
        }

        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(Sector), 0xCAFECAFE);
        for (int table = 0; table < tables; table++)
        {
            // Tables stand in reverse order.
            int place = tables - 1 - table;
            BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan((4 * Sector) + (table * 8)), (1UL << 60) | (uint)place);
            for (int i = 0; i < 4096; i++)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan((tablesSector * Sector) + (place * tableBytes) + (i * 8)), entries[(table * 4096) + i]);
            }
        }

        for (int index = 0; index < grains; index++)
        {
            if (entries[index] >> 60 == 3)
            {
                ulong number = ((entries[index] >> 48) & 0xFFF) | ((entries[index] & 0xFFFFFFFFFFFF) << 12);
                guest[(index * grain)..Math.Min(guest.Length, (index + 1) * grain)].CopyTo(file.AsSpan((grainsSector * Sector) + ((int)number * grain)));
            }
        }

        return file;
    }

    private static int[] Shuffled(int count, int seed)
    {
        int[] numbers = [.. Enumerable.Range(0, count)];
        new Random(seed).Shuffle(numbers);
        return numbers;
    }
}
