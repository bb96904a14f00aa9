using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// The text that describes a disk (specification 1.1, "The Descriptor File"): header lines <c>name=value</c>, extent lines, and the
/// disk database. It stands in a file of its own or in sectors of a sparse extent.
/// </summary>
internal sealed class Descriptor
{
    /// <summary>The parent's content id of a disk that has no parent.</summary>
    public const uint NoParent = 0xFFFFFFFF;

    private const string Invalid = "invalid VMDK image descriptor";
    private readonly Dictionary<string, string> _values = new(StringComparer.OrdinalIgnoreCase);

    private Descriptor()
    {
    }

    /// <summary>What the disk's content is known by; changes whenever somebody writes to it.</summary>
    public uint ContentId { get; private set; }

    /// <summary>The parent's content id when this disk was made on it.</summary>
    public uint ParentContentId { get; private set; }

    /// <summary>As the descriptor states it, or null.</summary>
    public string? CreateType => Value("createType");

    /// <summary>The parent's name, unresolved; null where there is no parent.</summary>
    public string? ParentFileNameHint { get; private set; }

    /// <summary>In guest order.</summary>
    public IReadOnlyList<ExtentLine> Extents { get; private set; } = [];

    /// <summary>A value of header or disk database (<c>ddb.adapterType</c>) without its quotes, or null.</summary>
    public string? Value(string name) => _values.GetValueOrDefault(name);

    /// <summary>A content id that no other disk has, by chance of 2^-32, and never <see cref="NoParent"/>.</summary>
    public static uint NewContentId() => (uint)RandomNumberGenerator.GetInt32(int.MinValue, int.MaxValue) is var id and not NoParent ? id : NoParent - 1;

    /// <summary>Takes the text apart. It ends at the first zero byte.</summary>
    /// <param name="bytes">At most <see cref="VmdkLimits.MaxDescriptorBytes"/> are looked at.</param>
    /// <param name="file">For messages.</param>
    /// <param name="withExtents">False where the extent lines say nothing: the descriptor is part of its one extent.</param>
    public static Descriptor Parse(ReadOnlySpan<byte> bytes, string file, bool withExtents)
    {
        bytes = TextOf(bytes);
        Descriptor descriptor = new();
        List<ExtentLine> extents = [];
        foreach (ReadOnlySpan<char> untrimmed in NameText.GetString(bytes).AsSpan().EnumerateLines())
        {
            ReadOnlySpan<char> line = untrimmed.Trim();
            if (line.IsEmpty || line[0] == '#')
            {
                continue;
            }

            if (ExtentLine.Starts(line))
            {
                if (withExtents && ExtentLine.Parse(line, file) is { } extent)
                {
                    extents.Add(extent);
                    if (extents.Count > VmdkLimits.MaxExtents)
                    {
                        throw new ImageException(ImageErrorKind.Limit, file, $"Descriptor has more than {VmdkLimits.MaxExtents:#,0} extents");
                    }
                }
            }
            else
            {
                descriptor.AddValue(line);
            }
        }

        descriptor.Extents = extents;
        descriptor.ContentId = descriptor.Identity("CID", file);
        descriptor.ParentContentId = descriptor.Identity("parentCID", file);
        descriptor.ParentFileNameHint = descriptor.ParentName(file);
        return descriptor;
    }

    /// <summary>The bytes before the first zero byte, and no more than are looked at.</summary>
    public static ReadOnlySpan<byte> TextOf(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[..Math.Min(bytes.Length, VmdkLimits.MaxDescriptorBytes)];
        int end = bytes.IndexOf((byte)0);
        return end < 0 ? bytes : bytes[..end];
    }

    /// <summary>
    /// The same text with another content id (and the last eight digits of <c>ddb.longContentID</c>, which repeat it), every other byte as it was.
    /// </summary>
    public static byte[] WithContentId(ReadOnlySpan<byte> bytes, uint contentId)
    {
        // One byte a character, so that names in whatever encoding come back unchanged.
        string text = Encoding.Latin1.GetString(TextOf(bytes));
        StringBuilder result = new(text.Length + 8);
        string digits = contentId.ToString("x8", CultureInfo.InvariantCulture);
        int at = 0;
        while (at < text.Length)
        {
            int end = text.IndexOf('\n', at) + 1;
            end = end == 0 ? text.Length : end;
            AppendLine(result, text.AsSpan(at, end - at), digits);
            at = end;
        }

        return Encoding.Latin1.GetBytes(result.ToString());
    }

    private static void AppendLine(StringBuilder result, ReadOnlySpan<char> line, string digits)
    {
        int equals = line.IndexOf('=');
        ReadOnlySpan<char> name = equals < 0 ? default : line[..equals].Trim();
        if (name.Equals("CID", StringComparison.OrdinalIgnoreCase))
        {
            result.Append(line[..(equals + 1)]).Append(digits).Append(line[line.TrimEnd("\r\n").Length..]);
            return;
        }

        int lastQuote = line.LastIndexOf('"');
        if (name.Equals("ddb.longContentID", StringComparison.OrdinalIgnoreCase) && lastQuote - equals > digits.Length)
        {
            result.Append(line[..(lastQuote - digits.Length)]).Append(digits).Append(line[lastQuote..]);
            return;
        }

        result.Append(line);
    }

    private void AddValue(ReadOnlySpan<char> line)
    {
        int equals = line.IndexOf('=');
        if (equals <= 0)
        {
            return;
        }

        ReadOnlySpan<char> value = line[(equals + 1)..].Trim();
        if (value.StartsWith('"'))
        {
            // The quote that ends it is the next one, as QEMU reads it; a value without its end is kept as it is and so fits nothing.
            int end = value[1..].IndexOf('"');
            value = end < 0 ? value : value.Slice(1, end);
        }

        // The first of several is the one that counts.
        _values.TryAdd(line[..equals].Trim().ToString(), value.ToString());
    }

    private uint Identity(string name, string file)
    {
        string text = Value(name) ?? throw new ImageException(ImageErrorKind.Corrupt, file, CreateType is null ? Invalid : $"{Invalid}: no {name}");
        ReadOnlySpan<char> digits = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text.AsSpan(2) : text;
        return uint.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint identity)
            ? identity
            : throw new ImageException(ImageErrorKind.Corrupt, file, $"{Invalid}: {name} '{Shorten(text)}' is no number of up to 8 hexadecimal digits");
    }

    private string? ParentName(string file)
    {
        if (Value("parentFileNameHint") is not { Length: > 0 } name)
        {
            return null;
        }

        if (name.Length > VmdkLimits.MaxParentName || name.StartsWith('"'))
        {
            throw new ImageException(ImageErrorKind.Corrupt, file, $"{Invalid}: parentFileNameHint does not end");
        }

        return name;
    }

    private static string Shorten(string text) => text.Length <= 32 ? text : text[..32] + "...";
}
