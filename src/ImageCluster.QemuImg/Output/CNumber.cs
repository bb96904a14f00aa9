using System.Globalization;
using System.Numerics;

namespace ImageCluster.QemuImg.Output;

/// <summary>Numbers as C's printf writes them: the exact binary value, ties to even.</summary>
internal static class CNumber
{
    /// <summary><c>%.Nf</c> for a finite value of 0 or more.</summary>
    public static string Fixed(double value, int decimals)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        int exponent = (int)((bits >> 52) & 0x7FF);
        BigInteger mantissa = (bits & 0xFFFFFFFFFFFFF) | (exponent == 0 ? 0 : 1L << 52);
        int shift = Math.Max(exponent, 1) - 1075;
        BigInteger scale = BigInteger.Pow(10, decimals);
        BigInteger scaled = shift >= 0 ? (mantissa << shift) * scale : RoundToEven(mantissa * scale, -shift);
        string digits = scaled.ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
        return decimals == 0 ? digits : $"{digits[..^decimals]}.{digits[^decimals..]}";
    }

    private static BigInteger RoundToEven(BigInteger value, int shift)
    {
        BigInteger quotient = value >> shift;
        BigInteger rest = value - (quotient << shift);
        BigInteger half = BigInteger.One << (shift - 1);
        return rest > half || (rest == half && !quotient.IsEven) ? quotient + 1 : quotient;
    }
}
