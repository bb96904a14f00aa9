using System.Buffers;
using System.Globalization;

namespace ImageCluster.Jobs.Manifests;

/// <summary>
/// Bytes a second. Written as a number, which may have a fraction, and a unit: none or <c>B</c>; <c>K M G T</c> (as qemu-img has
/// them) or <c>KiB MiB GiB TiB</c>, powers of 1,024; <c>kB MB GB TB</c>, powers of 1,000; then, if one likes, <c>/s</c>.
/// </summary>
public readonly record struct ByteRate(long BytesPerSecond)
{
    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    private static readonly (string Text, long Factor)[] Units =
    [
        ("TiB", 1L << 40), ("GiB", 1L << 30), ("MiB", 1L << 20), ("KiB", 1L << 10),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("KB", 1_000),
        ("T", 1L << 40), ("G", 1L << 30), ("M", 1L << 20), ("K", 1L << 10), ("k", 1L << 10), ("B", 1), ("", 1),
    ];

    /// <summary>True for a rate of 1 byte to 2^63-1 bytes a second.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ByteRate rate)
    {
        rate = default;
        text = text.Trim();
        if (text.EndsWith("/s"))
        {
            text = text[..^2].TrimEnd();
        }

        int digits = text.IndexOfAnyExcept(NumberCharacters);
        ReadOnlySpan<char> number = digits < 0 ? text : text[..digits];
        ReadOnlySpan<char> unit = digits < 0 ? "" : text[digits..].TrimStart();
        foreach ((string name, long factor) in Units)
        {
            if (unit.SequenceEqual(name))
            {
                return decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value) &&
                    value <= (decimal)long.MaxValue / factor && Make(value * factor, out rate);
            }
        }

        return false;
    }

    /// <summary>The shortest exact form, e.g. <c>200MiB/s</c>; reads back as the same rate.</summary>
    public override string ToString()
    {
        foreach ((string name, long factor) in Units)
        {
            if (name.Length == 3 && BytesPerSecond % factor == 0)
            {
                return $"{BytesPerSecond / factor}{name}/s";
            }
        }

        return $"{BytesPerSecond}B/s";
    }

    private static bool Make(decimal bytes, out ByteRate rate)
    {
        bytes = decimal.Floor(bytes);
        bool fits = bytes is >= 1 and <= long.MaxValue;
        rate = fits ? new ByteRate((long)bytes) : default;
        return fits;
    }
}
