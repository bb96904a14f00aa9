using System.Globalization;

namespace ImageCluster.QemuImg.Images;

/// <summary>Whole numbers as C's strtoull takes them with base 0: blanks before, a sign, <c>0x</c> for hexadecimal, <c>0</c> for octal.</summary>
internal static class CInteger
{
    public static bool TryParse(string text, out long value)
    {
        ReadOnlySpan<char> digits = text.AsSpan().TrimStart();
        bool negative = digits.StartsWith("-");
        digits = negative || digits.StartsWith("+") ? digits[1..] : digits;
        bool ok;
        ulong magnitude;
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            ok = ulong.TryParse(digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out magnitude);
        }
        else if (digits.Length > 1 && digits[0] == '0')
        {
            ok = TryParseOctal(digits[1..], out magnitude);
        }
        else
        {
            ok = ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out magnitude);
        }

        value = unchecked(negative ? -(long)magnitude : (long)magnitude);
        return ok;
    }

    private static bool TryParseOctal(ReadOnlySpan<char> digits, out ulong value)
    {
        value = 0;
        foreach (char c in digits)
        {
            if (c is < '0' or > '7' || value > ulong.MaxValue >> 3)
            {
                return false;
            }

            value = (value << 3) | (uint)(c - '0');
        }

        return true;
    }
}
