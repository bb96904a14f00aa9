using System.Globalization;

namespace ImageCluster.QemuImg.Output;

/// <summary>Sizes for people: three significant digits and a binary unit (<c>1.5 MiB</c>), rounded as C's <c>%.3g</c> rounds.</summary>
internal static class SizeText
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    public static string Of(long bytes)
    {
        // A value goes up to the next unit from 1,000 of the lower one on.
        int unit = 0;
        while (unit < Units.Length - 1 && bytes >= (Int128)1000 << (10 * unit))
        {
            unit++;
        }

        int shift = 10 * unit;
        long whole = bytes >> shift;
        int decimals = whole switch { >= 100 => 0, >= 10 => 1, >= 1 => 2, _ => bytes == 0 ? 0 : 3 };
        Int128 scale = decimals switch { 0 => 1, 1 => 10, 2 => 100, _ => 1000 };
        Int128 rounded = DivideToEven(bytes * scale, shift);
        if (rounded == 1000 && decimals == 0)
        {
            return $"1e+03 {Units[unit]}";
        }

        string digits = ((long)(rounded / scale)).ToString(CultureInfo.InvariantCulture);
        string fraction = decimals == 0 ? "" : ((long)(rounded % scale)).ToString(CultureInfo.InvariantCulture).PadLeft(decimals, '0').TrimEnd('0');
        return fraction.Length == 0 ? $"{digits} {Units[unit]}" : $"{digits}.{fraction} {Units[unit]}";
    }

    private static Int128 DivideToEven(Int128 value, int shift)
    {
        Int128 quotient = value >> shift;
        Int128 rest = value - (quotient << shift);
        Int128 half = shift == 0 ? Int128.MaxValue : Int128.One << (shift - 1);
        bool up = rest > half || (rest == half && (quotient & 1) == 1);
        return up ? quotient + 1 : quotient;
    }
}
