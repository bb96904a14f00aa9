using System.Globalization;

namespace ImageCluster.Imaging.Formats.Vmdk;

internal enum ExtentType
{
    Flat,
    Sparse,
    Vmfs,
    VmfsSparse,
    SeSparse,
    Zero,
}

/// <summary>A line of the descriptor that states an extent: access, size in sectors, type, file, and for FLAT where in the file it starts.</summary>
/// <param name="Sectors">Size in sectors of 512 bytes, above 0.</param>
/// <param name="Type">What kind of file.</param>
/// <param name="FileName">Relative to the descriptor or absolute; empty for <see cref="ExtentType.Zero"/>.</param>
/// <param name="OffsetSectors">Where a flat extent starts in its file, sectors.</param>
/// <param name="ReadOnly">Access RDONLY.</param>
internal sealed record ExtentLine(long Sectors, ExtentType Type, string FileName, long OffsetSectors, bool ReadOnly)
{
    /// <summary>The type as the line states it.</summary>
    public string TypeName => Type.ToString().ToUpperInvariant();

    /// <summary>True where the line begins like an extent's.</summary>
    public static bool Starts(ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> access = FirstWord(line);
        return access is "RW" or "RDONLY" or "NOACCESS" && access.Length < line.Length;
    }

    /// <summary>
    /// Takes a line apart. Null for an extent of size 0. (QEMU passes over lines that it does not understand, and so moves all data behind
    /// them; here they are refused, in the words that QEMU has for others.)
    /// </summary>
    public static ExtentLine? Parse(ReadOnlySpan<char> line, string file)
    {
        ReadOnlySpan<char> rest = line;
        ReadOnlySpan<char> access = Word(ref rest);
        if (!long.TryParse(Word(ref rest), NumberStyles.None, CultureInfo.InvariantCulture, out long sectors))
        {
            throw InvalidLine(line, file);
        }

        string typeName = Word(ref rest).ToString();
        string? name = QuotedName(ref rest);
        bool hasOffset = long.TryParse(FirstWord(rest), NumberStyles.None, CultureInfo.InvariantCulture, out long offset);
        if (access is "NOACCESS")
        {
            throw new ImageException(ImageErrorKind.Unsupported, file, $"Extent without access: {Shown(line)}");
        }

        ExtentType type = typeName switch
        {
            "FLAT" => ExtentType.Flat,
            "SPARSE" => ExtentType.Sparse,
            "VMFS" => ExtentType.Vmfs,
            "VMFSSPARSE" => ExtentType.VmfsSparse,
            "SESPARSE" => ExtentType.SeSparse,
            "ZERO" => ExtentType.Zero,
            _ => throw new ImageException(ImageErrorKind.Unsupported, file, $"Unsupported extent type '{(typeName.Length <= 32 ? typeName : typeName[..32])}'"),
        };

        bool offsetFits = type == ExtentType.Flat ? hasOffset : rest.IsEmpty;
        if (type != ExtentType.Zero && (name is null || !offsetFits))
        {
            throw InvalidLine(line, file);
        }

        if (sectors > VmdkLimits.MaxSectors || offset > VmdkLimits.MaxSectors - sectors)
        {
            throw VmdkLimits.DiskTooLarge(file);
        }

        return sectors == 0 ? null : new ExtentLine(sectors, type, name ?? "", offset, access is "RDONLY");
    }

    private static string? QuotedName(ref ReadOnlySpan<char> rest)
    {
        rest = rest.TrimStart();
        if (rest.IsEmpty || rest[0] != '"')
        {
            return null;
        }

        int end = rest[1..].IndexOf('"');
        if (end is <= 0 or > VmdkLimits.MaxExtentName)
        {
            return null;
        }

        string name = rest.Slice(1, end).ToString();
        rest = rest[(end + 2)..].TrimStart();
        return name;
    }

    private static ReadOnlySpan<char> Word(ref ReadOnlySpan<char> rest)
    {
        rest = rest.TrimStart();
        ReadOnlySpan<char> word = FirstWord(rest);
        rest = rest[word.Length..];
        return word;
    }

    private static ReadOnlySpan<char> FirstWord(ReadOnlySpan<char> text)
    {
        int end = 0;
        while (end < text.Length && !char.IsWhiteSpace(text[end]))
        {
            end++;
        }

        return text[..end];
    }

    private static ImageException InvalidLine(ReadOnlySpan<char> line, string file) =>
        new(ImageErrorKind.Corrupt, file, $"Invalid extent line: {Shown(line)}");

    private static string Shown(ReadOnlySpan<char> line) => line.Length <= 200 ? line.ToString() : $"{line[..200]}...";
}
