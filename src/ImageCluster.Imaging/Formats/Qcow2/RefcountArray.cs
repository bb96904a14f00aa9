using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Refcounts as they stand in a refcount block: 1 to 64 bits each (2 to the <c>order</c>), big-endian; those of less than a byte start at
/// the byte's lowest bit.
/// </summary>
internal static class RefcountArray
{
    public static ulong Get(ReadOnlySpan<byte> block, int order, int index) => order switch
    {
        0 => (ulong)(block[index >> 3] >> (index & 7)) & 1,
        1 => (ulong)(block[index >> 2] >> (2 * (index & 3))) & 3,
        2 => (ulong)(block[index >> 1] >> (4 * (index & 1))) & 15,
        3 => block[index],
        4 => BinaryPrimitives.ReadUInt16BigEndian(block[(index * 2)..]),
        5 => BinaryPrimitives.ReadUInt32BigEndian(block[(index * 4)..]),
        _ => BinaryPrimitives.ReadUInt64BigEndian(block[(index * 8)..]),
    };

    /// <summary>The value must fit the width.</summary>
    public static void Set(Span<byte> block, int order, int index, ulong value)
    {
        switch (order)
        {
            case < 3:
                int bits = 1 << order;
                int shift = (index << order) & 7;
                ref byte cell = ref block[index >> (3 - order)];
                cell = (byte)((cell & ~(((1 << bits) - 1) << shift)) | ((int)value << shift));
                break;
            case 3:
                block[index] = (byte)value;
                break;
            case 4:
                BinaryPrimitives.WriteUInt16BigEndian(block[(index * 2)..], (ushort)value);
                break;
            case 5:
                BinaryPrimitives.WriteUInt32BigEndian(block[(index * 4)..], (uint)value);
                break;
            default:
                BinaryPrimitives.WriteUInt64BigEndian(block[(index * 8)..], value);
                break;
        }
    }

    /// <summary>The first index from <paramref name="from"/> on, below <paramref name="to"/>, whose refcount is zero; <paramref name="to"/> where there is none.</summary>
    public static int IndexOfZero(ReadOnlySpan<byte> block, int order, int from, int to)
    {
        int found = order switch
        {
            3 => block[from..to].IndexOf((byte)0),
            4 => MemoryMarshal.Cast<byte, ushort>(block)[from..to].IndexOf((ushort)0),
            5 => MemoryMarshal.Cast<byte, uint>(block)[from..to].IndexOf(0U),
            6 => MemoryMarshal.Cast<byte, ulong>(block)[from..to].IndexOf(0UL),
            _ => Scan(block, order, from, to, zero: true),
        };
        return found < 0 ? to : from + found;
    }

    /// <summary>As <see cref="IndexOfZero"/>, for a refcount that is not zero.</summary>
    public static int IndexOfNonzero(ReadOnlySpan<byte> block, int order, int from, int to)
    {
        int found = order switch
        {
            3 => block[from..to].IndexOfAnyExcept((byte)0),
            4 => MemoryMarshal.Cast<byte, ushort>(block)[from..to].IndexOfAnyExcept((ushort)0),
            5 => MemoryMarshal.Cast<byte, uint>(block)[from..to].IndexOfAnyExcept(0U),
            6 => MemoryMarshal.Cast<byte, ulong>(block)[from..to].IndexOfAnyExcept(0UL),
            _ => Scan(block, order, from, to, zero: false),
        };
        return found < 0 ? to : from + found;
    }

    // Refcounts of less than a byte; whole bytes of zeros are passed over at once.
    private static int Scan(ReadOnlySpan<byte> block, int order, int from, int to, bool zero)
    {
        int perByte = 8 >> order;
        for (int i = from; i < to; i++)
        {
            if (!zero && i % perByte == 0 && block[i / perByte] == 0)
            {
                i += perByte - 1;
            }
            else if (Get(block, order, i) == 0 == zero)
            {
                return i - from;
            }
        }

        return -1;
    }
}
