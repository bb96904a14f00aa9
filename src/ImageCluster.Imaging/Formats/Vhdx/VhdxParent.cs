using System.Buffers.Binary;
using System.Text;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>Who the parent of a differencing image is, and where it was.</summary>
/// <param name="DataWriteIds">The parent's data write id; a second one where the parent was being changed when the child was made.</param>
/// <param name="Paths">Where to look, best first: paths with slashes, relative to the image or absolute.</param>
internal sealed record VhdxParent(IReadOnlyList<Guid> DataWriteIds, IReadOnlyList<string> Paths)
{
    private const int HeaderLength = 20;
    private const int EntryLength = 12;

    /// <summary>Reads a parent locator: pairs of UTF-16 strings.</summary>
    public static VhdxParent Decode(ReadOnlySpan<byte> raw, string name)
    {
        if (new Guid(raw[..16]) != VhdxIds.VhdxParent)
        {
            throw new ImageException(ImageErrorKind.Unsupported, name, "VHDX parent locator is of a kind that is not known");
        }

        int count = BinaryPrimitives.ReadUInt16LittleEndian(raw[18..]);
        Dictionary<string, string> pairs = new(StringComparer.OrdinalIgnoreCase);
        for (int i = 0; i < count; i++)
        {
            int at = HeaderLength + i * EntryLength;
            if (at + EntryLength > raw.Length)
            {
                throw new ImageException(ImageErrorKind.Corrupt, name, $"VHDX parent locator has no room for its {count} entries");
            }

            ReadOnlySpan<byte> entry = raw.Slice(at, EntryLength);
            string key = Text(raw, entry, 0, 8, name);
            pairs[key] = Text(raw, entry, 4, 10, name);
        }

        Guid[] ids =
        [
            .. new[] { "parent_linkage", "parent_linkage2" }
                .Select(key => Guid.TryParse(pairs.GetValueOrDefault(key), out Guid id) ? id : Guid.Empty)
                .Where(id => id != Guid.Empty),
        ];
        string[] paths =
        [
            .. new[] { "relative_path", "absolute_win32_path", "volume_path" }
                .Select(key => pairs.GetValueOrDefault(key) ?? "")
                .Where(path => path.Length > 0)
                .Select(path => path.Replace('\\', '/')),
        ];
        return new VhdxParent(ids, paths);
    }

    private static string Text(ReadOnlySpan<byte> raw, ReadOnlySpan<byte> entry, int offsetAt, int lengthAt, string name)
    {
        uint offset = BinaryPrimitives.ReadUInt32LittleEndian(entry[offsetAt..]);
        int length = BinaryPrimitives.ReadUInt16LittleEndian(entry[lengthAt..]);
        return offset > raw.Length || length > raw.Length - offset
            ? throw new ImageException(ImageErrorKind.Corrupt, name, "VHDX parent locator points outside itself")
            : Encoding.Unicode.GetString(raw.Slice((int)offset, length)).TrimEnd('\0');
    }
}
