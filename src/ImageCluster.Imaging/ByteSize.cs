using System.Globalization;

namespace ImageCluster.Imaging;

/// <summary>Sizes as QEMU reads them (qemu_strtosz: suffixes are powers of 1,024).</summary>
public static class ByteSize
{
    /// <summary>
    /// Parses digits with an optional fraction and suffix b, B, k, K, m, M, g, G, t, T, p, P, e or E (bytes where there is none unless
    /// <paramref name="defaultSuffix"/> says otherwise), or a hexadecimal number. False for anything else or a value beyond 2^63-1.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, out long bytes, char defaultSuffix = 'B')
    {
        bytes = 0;
        text = text.Trim();
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            return long.TryParse(text[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bytes) && bytes >= 0;
        }

        int end = 0;
        while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] == '.'))
        {
            end++;
        }

        if (end == 0 || !char.IsAsciiDigit(text[0]) || text.Length - end > 1)
        {
            return false;
        }

        int shift = ShiftOf(end < text.Length ? text[end] : defaultSuffix);
        if (shift < 0)
        {
            return false;
        }

        int dot = text[..end].IndexOf('.');
        ReadOnlySpan<char> whole = dot < 0 ? text[..end] : text[..dot];
        if (!ulong.TryParse(whole, NumberStyles.None, CultureInfo.InvariantCulture, out ulong units))
        {
            return false;
        }

        double fraction = 0;
        if (dot >= 0)
        {
            if (shift == 0 || !double.TryParse(text[dot..end], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out fraction))
            {
                return false;
            }
        }

        Int128 total = ((Int128)units << shift) + (long)(fraction * (1UL << shift) + 0.5);
        if (total > long.MaxValue)
        {
            return false;
        }

        bytes = (long)total;
        return true;
    }

    private static int ShiftOf(char suffix) => char.ToUpperInvariant(suffix) switch
    {
        'B' => 0,
        'K' => 10,
        'M' => 20,
        'G' => 30,
        'T' => 40,
        'P' => 50,
        'E' => 60,
        _ => -1,
    };
}
