using System.Numerics;
using System.Text;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// The feature name table: an extension that gives each feature bit a name, so that a program can say what it does not know. An entry
/// is 48 bytes: type (0 incompatible, 1 compatible, 2 autoclear), bit number, name padded with zeros.
/// </summary>
internal static class FeatureNames
{
    private const int EntryLength = 48;

    private static readonly (byte Type, byte Bit, string Name)[] Known =
    [
        (0, 0, "dirty bit"),
        (0, 1, "corrupt bit"),
        (0, 2, "external data file"),
        (0, 3, "compression type"),
        (0, 4, "extended L2 entries"),
        (1, 0, "lazy refcounts"),
        (2, 0, "bitmaps"),
        (2, 1, "raw external data"),
    ];

    /// <summary>Bytes of <see cref="Write"/>'s table.</summary>
    public static int Length => Known.Length * EntryLength;

    /// <summary>The table of the features that QEMU 7.2 knows, as it writes it.</summary>
    public static void Write(Span<byte> table)
    {
        table.Clear();
        for (int i = 0; i < Known.Length; i++)
        {
            Span<byte> entry = table.Slice(i * EntryLength, EntryLength);
            entry[0] = Known[i].Type;
            entry[1] = Known[i].Bit;
            Encoding.ASCII.GetBytes(Known[i].Name, entry[2..]);
        }
    }

    /// <summary>Lists the incompatible features of <paramref name="mask"/> by the names that the image's own table gives them.</summary>
    public static string Describe(ReadOnlySpan<byte> table, ulong mask)
    {
        StringBuilder text = new();
        // What the last entry is short of is zeros.
        for (; table.Length > 2 && table[2] != 0; table = table[Math.Min(EntryLength, table.Length)..])
        {
            ulong bit = table[1] < 64 ? 1UL << table[1] : 0;
            if (table[0] == 0 && (mask & bit) != 0)
            {
                ReadOnlySpan<byte> name = table[2..Math.Min(EntryLength, table.Length)];
                int end = name.IndexOf((byte)0);
                Separate(text);
                foreach (char c in NameText.GetString(end < 0 ? name : name[..end]))
                {
                    // The name comes from the image: keep the message one line.
                    text.Append(char.IsControl(c) ? '?' : c);
                }

                mask &= ~bit;
            }
        }

        if (BitOperations.PopCount(mask) > 0)
        {
            Separate(text).Append($"Unknown incompatible feature: {mask:x}");
        }

        return text.ToString();
    }

    private static StringBuilder Separate(StringBuilder text) => text.Length > 0 ? text.Append(", ") : text;
}
