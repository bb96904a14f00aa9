using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ImageCluster.Imaging.Extents;

/// <summary>Finds out whether bytes are all zero, at memory speed.</summary>
public static class ZeroScan
{
    /// <summary>True where every byte of <paramref name="data"/> is zero (also where there is none).</summary>
    public static bool IsZero(ReadOnlySpan<byte> data)
    {
        ref byte start = ref MemoryMarshal.GetReference(data);
        int length = data.Length;
        if (length < Vector256<byte>.Count)
        {
            return data.IndexOfAnyExcept((byte)0) < 0;
        }

        // Most data shows itself at once; the first and last bytes decide before the loop is entered.
        if ((Load(ref start, 0) | Load(ref start, length - Vector256<byte>.Count)) != Vector256<byte>.Zero)
        {
            return false;
        }

        int at = 0;
        for (int end = length - (8 * Vector256<byte>.Count); at <= end; at += 8 * Vector256<byte>.Count)
        {
            Vector256<byte> a = Load(ref start, at) | Load(ref start, at + 32) | Load(ref start, at + 64) | Load(ref start, at + 96);
            Vector256<byte> b = Load(ref start, at + 128) | Load(ref start, at + 160) | Load(ref start, at + 192) | Load(ref start, at + 224);
            if ((a | b) != Vector256<byte>.Zero)
            {
                return false;
            }
        }

        for (; at <= length - Vector256<byte>.Count; at += Vector256<byte>.Count)
        {
            if (Load(ref start, at) != Vector256<byte>.Zero)
            {
                return false;
            }
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Load(ref byte start, int offset) => Vector256.LoadUnsafe(ref start, (nuint)offset);
}
