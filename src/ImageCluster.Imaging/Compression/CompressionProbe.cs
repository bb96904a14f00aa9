using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ImageCluster.Imaging.Compression;

/// <summary>
/// A cheap look at data before it is deflated (zstd finds out faster by itself): random, encrypted and already compressed bytes cost deflate the most time and
/// give nothing. Two looks, the first of which settles nearly all that does compress: are the bytes' values spread evenly over
/// a sample, and do sequences of bytes come again?
/// </summary>
public static class CompressionProbe
{
    private const int SampleBytes = 4096;
    private const int SamplePiece = 16;

    // Chi-squared of 4,096 evenly spread bytes: mean 255, deviation 23. What exceeds this has at least 0.3 % to gain by order 0 alone.
    private const int EvenChiSquared = 360;

    private const int TableBits = 12;
    private const int Window = 4096;
    private const int ChunkBytes = 1 << 16;

    /// <summary>True where deflate would not make <paramref name="data"/> smaller by about one part in a hundred.</summary>
    public static bool LooksIncompressible(ReadOnlySpan<byte> data)
    {
        // Too small to judge, and cheap to compress.
        if (data.Length < SampleBytes)
        {
            return false;
        }

        if (!IsSpreadEvenly(data))
        {
            return false;
        }

        for (int start = 0; start < data.Length; start += ChunkBytes)
        {
            if (HasRepeats(data.Slice(start, Math.Min(ChunkBytes, data.Length - start))))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsSpreadEvenly(ReadOnlySpan<byte> data)
    {
        Span<int> counts = stackalloc int[256];
        counts.Clear();
        int pieces = SampleBytes / SamplePiece;
        int step = data.Length / pieces;
        for (int piece = 0; piece < pieces; piece++)
        {
            // Somewhere in its step, scattered: a fixed stride would see always the same part of records of that length.
            int start = piece * step + (int)(piece * 2654435761U >> 16) % (step - SamplePiece + 1);
            foreach (byte value in data.Slice(start, SamplePiece))
            {
                counts[value]++;
            }
        }

        long squares = 0;
        foreach (int count in counts)
        {
            squares += (long)count * count;
        }

        return squares * 256 / SampleBytes - SampleBytes <= EvenChiSquared;
    }

    // Looks at the places that start with a byte below 32 (one in eight, and the same ones in each copy of a sequence), and counts
    // those whose three bytes stood within the last 4 KiB (the window of qcow2's deflate), or whose eight stood anywhere in the chunk.
    // Of random bytes' places one in 4,096 is such by chance.
    private static bool HasRepeats(ReadOnlySpan<byte> chunk)
    {
        Span<ushort> last = stackalloc ushort[1 << TableBits];
        last.Clear();
        ref byte bytes = ref MemoryMarshal.GetReference(chunk);
        Vector256<byte> high = Vector256.Create((byte)0xE0);
        int limit = Math.Max(8, chunk.Length / 4096);
        int repeats = 0;
        for (int start = 0; start + Vector256<byte>.Count + sizeof(ulong) <= chunk.Length; start += Vector256<byte>.Count)
        {
            Vector256<byte> values = Vector256.LoadUnsafe(ref bytes, (nuint)start);
            uint places = Vector256.Equals(values & high, Vector256<byte>.Zero).ExtractMostSignificantBits();
            for (; places != 0; places &= places - 1)
            {
                int at = start + BitOperations.TrailingZeroCount(places);
                ulong here = BinaryPrimitives.ReadUInt64LittleEndian(chunk[at..]);
                ref ushort slot = ref last[(int)(((uint)here << 8) * 2654435761U >> (32 - TableBits))];
                int before = slot;
                slot = (ushort)at;
                ulong difference = here ^ BinaryPrimitives.ReadUInt64LittleEndian(chunk[before..]);
                ulong mask = at - before <= Window ? 0xFFFFFFUL : ulong.MaxValue;
                if ((difference & mask) == 0 && at != before && ++repeats > limit)
                {
                    return true;
                }
            }
        }

        return false;
    }
}
