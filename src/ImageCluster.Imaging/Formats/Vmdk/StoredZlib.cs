using System.Buffers.Binary;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>A zlib stream (RFC 1950) of stored blocks, for data that would not get smaller.</summary>
internal static class StoredZlib
{
    private const int HeaderSize = 2;
    private const int BlockHeaderSize = 5;
    private const int TrailerSize = 4;
    private const int MaxBlock = ushort.MaxValue;
    private const uint AdlerModulus = 65521;

    // The longest run whose sums stay below 2^32.
    private const int AdlerRun = 5552;

    /// <summary>Bytes of the stream for <paramref name="length"/> bytes of data.</summary>
    public static int MaxLength(int length) => HeaderSize + TrailerSize + length + (BlockHeaderSize * Math.Max(1, (length + MaxBlock - 1) / MaxBlock));

    /// <summary>Writes the stream and returns its length.</summary>
    public static int Write(ReadOnlySpan<byte> data, Span<byte> target)
    {
        // Window of 32 KiB, fastest level, check bits.
        target[0] = 0x78;
        target[1] = 0x01;
        int at = HeaderSize;
        int start = 0;
        do
        {
            int length = Math.Min(MaxBlock, data.Length - start);
            target[at] = start + length == data.Length ? (byte)1 : (byte)0;
            BinaryPrimitives.WriteUInt16LittleEndian(target[(at + 1)..], (ushort)length);
            BinaryPrimitives.WriteUInt16LittleEndian(target[(at + 3)..], (ushort)~length);
            data.Slice(start, length).CopyTo(target[(at + BlockHeaderSize)..]);
            at += BlockHeaderSize + length;
            start += length;
        }
        while (start < data.Length);

        BinaryPrimitives.WriteUInt32BigEndian(target[at..], Adler32(data));
        return at + TrailerSize;
    }

    internal static uint Adler32(ReadOnlySpan<byte> data)
    {
        uint a = 1;
        uint b = 0;
        while (data.Length > 0)
        {
            ReadOnlySpan<byte> run = data[..Math.Min(AdlerRun, data.Length)];
            foreach (byte value in run)
            {
                a += value;
                b += a;
            }

            a %= AdlerModulus;
            b %= AdlerModulus;
            data = data[run.Length..];
        }

        return (b << 16) | a;
    }
}
