using System.Buffers.Binary;
using System.Numerics;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>CRC-32C (Castagnoli), as every VHDX structure has it four bytes behind its start.</summary>
internal static class VhdxChecksum
{
    /// <summary>Where the checksum stands in a structure.</summary>
    public const int At = 4;

    public const uint Start = 0xffffffff;

    /// <summary>The checksum of a structure, its own field taken for zeros.</summary>
    public static uint Of(ReadOnlySpan<byte> structure) => ~Continue(StartOf(structure[..(At + sizeof(uint))]), structure[(At + sizeof(uint))..]);

    /// <summary>Goes on over more bytes; the result is inverted at the very end.</summary>
    public static uint Continue(uint crc, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (byte value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return crc;
    }

    /// <summary>Starts over a structure's first eight bytes, of which the last four are the checksum itself.</summary>
    public static uint StartOf(ReadOnlySpan<byte> signatureAndChecksum)
    {
        Span<byte> blank = stackalloc byte[At + sizeof(uint)];
        signatureAndChecksum[..At].CopyTo(blank);
        return Continue(Start, blank);
    }

    public static bool IsRight(ReadOnlySpan<byte> structure) => BinaryPrimitives.ReadUInt32LittleEndian(structure[At..]) == Of(structure);

    /// <summary>Writes the checksum into its field.</summary>
    public static void Seal(Span<byte> structure) => BinaryPrimitives.WriteUInt32LittleEndian(structure[At..], Of(structure));
}
