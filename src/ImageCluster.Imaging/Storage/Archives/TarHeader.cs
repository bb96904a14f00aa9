using System.Buffers.Binary;
using System.Text;

namespace ImageCluster.Imaging.Storage.Archives;

/// <summary>A header block of a tar archive (POSIX.1-2001 pax, ustar; GNU tar's manual, "Basic Tar Format").</summary>
internal readonly ref struct TarHeader(ReadOnlySpan<byte> block)
{
    public const int BlockLength = 512;

    private const int ChecksumStart = 148;
    private const int ChecksumLength = 8;

    private readonly ReadOnlySpan<byte> _block = block;

    public bool IsZero => _block.IndexOfAnyExcept((byte)0) < 0;

    /// <summary>The sum of all bytes, the sum's own field taken as blanks; some old programs summed signed ones.</summary>
    public bool ChecksumIsGood
    {
        get
        {
            long unsigned = ChecksumLength * ' ';
            long signed = unsigned;
            for (int i = 0; i < BlockLength; i++)
            {
                if (i is < ChecksumStart or >= ChecksumStart + ChecksumLength)
                {
                    unsigned += _block[i];
                    signed += (sbyte)_block[i];
                }
            }

            return Number(ChecksumStart, ChecksumLength) is { } stated && (stated == unsigned || stated == signed);
        }
    }

    public char Type => (char)_block[156];

    /// <summary>Bytes that follow; null where the field holds no number from 0 to 2^63-1.</summary>
    public long? Size => Number(124, 12);

    public string Name
    {
        get
        {
            string name = Text(0, 100);

            // GNU's own form ("ustar  ") has other things where ustar has the prefix.
            bool isUstar = _block[257..263].SequenceEqual("ustar\0"u8);
            string prefix = isUstar ? Text(345, 155) : "";
            return prefix.Length > 0 ? $"{prefix}/{name}" : name;
        }
    }

    /// <summary>GNU's old sparse form: more of the map follows in the next block.</summary>
    public bool SparseMapGoesOn => _block[482] != 0;

    /// <summary>As <see cref="SparseMapGoesOn"/>, of a block that continues a map.</summary>
    public static bool MapBlockGoesOn(ReadOnlySpan<byte> block) => block[504] != 0;

    private string Text(int start, int length)
    {
        ReadOnlySpan<byte> field = _block.Slice(start, length);
        int end = field.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
    }

    // Octal digits, or (the first bit set) a big-endian number.
    private long? Number(int start, int length)
    {
        ReadOnlySpan<byte> field = _block.Slice(start, length);
        if ((field[0] & 0x80) != 0)
        {
            bool fits = (field[0] & 0x7f) == 0 && field[1..^8].IndexOfAnyExcept((byte)0) < 0;
            long value = BinaryPrimitives.ReadInt64BigEndian(field[^8..]);
            return fits && value >= 0 ? value : null;
        }

        field = field.Trim(" \0"u8);
        long number = 0;
        foreach (byte digit in field)
        {
            if (digit is < (byte)'0' or > (byte)'7' || number > long.MaxValue >> 3)
            {
                return null;
            }

            number = (number << 3) | (uint)(digit - '0');
        }

        return number;
    }
}
