using System.Globalization;

namespace ImageCluster.Imaging;

/// <summary>Sizes as QEMU reads them (qemu_strtosz: suffixes are powers of 1,024).</summary>
public static class ByteSize
{
    /// <summary>
    /// Parses digits with an optional fraction and suffix b, B, k, K, m, M, g, G, t, T, p, P, e or E (bytes where there is none unless
    /// <paramref name="defaultSuffix"/> says otherwise), or a hexadecimal number, after blanks and a plus sign. False for anything else or a value beyond 2^63-1.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, out long bytes, char defaultSuffix = 'B')
    {
        bool isSize = TryParseUnsigned(text, out ulong number, defaultSuffix) && number <= long.MaxValue;
        bytes = isSize ? (long)number : 0;
        return isSize;
    }

    /// <summary>As <see cref="TryParse(ReadOnlySpan{char}, out long, char)"/>, up to 2^64-1.</summary>
    public static bool TryParseUnsigned(ReadOnlySpan<char> text, out ulong bytes, char defaultSuffix = 'B')
    {
        bytes = 0;
        text = text.TrimStart();
        text = text.Length > 1 && text[0] == '+' && char.IsAsciiDigit(text[1]) ? text[1..] : text;
        bool isHexadecimal = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) && text.Length > 2;
        ReadOnlySpan<char> digits = isHexadecimal ? TakeHexDigits(text[2..]) : TakeDigits(text);
        if (digits.IsEmpty
            || !ulong.TryParse(digits, isHexadecimal ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out ulong units))
        {
            return false;
        }

        text = text[(digits.Length + (isHexadecimal ? 2 : 0))..];
        double fraction = 0;
        if (!isHexadecimal && text.StartsWith("."))
        {
            ReadOnlySpan<char> decimals = TakeDigits(text[1..]);
            fraction = decimals.IsEmpty ? 0 : double.Parse(text[..(decimals.Length + 1)], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture);
            text = text[(decimals.Length + 1)..];
        }

        int shift = text.IsEmpty ? ShiftOf(defaultSuffix) : text.Length == 1 ? ShiftOf(text[0]) : -1;
        if (shift < 0 || (shift == 0 && fraction != 0))
        {
            return false;
        }

        Int128 total = ((Int128)units << shift) + (long)((fraction * (1UL << shift)) + 0.5);
        if (total > ulong.MaxValue)
        {
            return false;
        }

        bytes = (ulong)total;
        return true;
    }

    private static ReadOnlySpan<char> TakeDigits(ReadOnlySpan<char> text)
    {
        int end = text.IndexOfAnyExceptInRange('0', '9');
        return end < 0 ? text : text[..end];
    }

    private static ReadOnlySpan<char> TakeHexDigits(ReadOnlySpan<char> text)
    {
        int end = 0;
        while (end < text.Length && char.IsAsciiHexDigit(text[end]))
        {
            end++;
        }

        return text[..end];
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
