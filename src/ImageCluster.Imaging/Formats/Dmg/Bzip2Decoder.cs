using System.Buffers;
using System.Buffers.Binary;

namespace ImageCluster.Imaging.Formats.Dmg;

/// <summary>
/// Inflates a bzip2 stream whose length is known, as dmg has them. .NET has no bzip2, and what a chunk needs is small: bits, Huffman codes,
/// move-to-front, the Burrows-Wheeler transform backwards, and the run lengths of the outermost layer. Every block's CRC is checked.
/// </summary>
internal ref struct Bzip2Decoder
{
    private const ulong BlockMagic = 0x314159265359;
    private const int BlockUnit = 100_000;
    private const int GroupSize = 50;
    private const int MaxAlphabet = 258;
    private const int MaxSelectors = 18_002;

    private readonly ReadOnlySpan<byte> _source;
    private readonly string? _file;
    private long _bit;

    private Bzip2Decoder(ReadOnlySpan<byte> source, string? file)
    {
        _source = source;
        _file = file;
    }

    /// <summary>Fills <paramref name="target"/> from one stream; a stream that is longer, shorter or damaged is an error.</summary>
    public static void Decompress(ReadOnlySpan<byte> source, Span<byte> target, string? file) => new Bzip2Decoder(source, file).Run(target);

    private void Run(Span<byte> target)
    {
        if (Bits(24) != 0x425a68 || Bits(8) is < (uint)'1' or > (uint)'9')
        {
            throw Damaged("it does not start as a bzip2 stream");
        }

        int limit = (_source[3] - '0') * BlockUnit;
        uint[] transformed = ArrayPool<uint>.Shared.Rent(limit);
        try
        {
            int written = 0;
            while (LongBits(48) == BlockMagic)
            {
                uint crc = Bits(32);
                written += Block(transformed.AsSpan(0, limit), target[written..], crc);
            }

            if (written != target.Length)
            {
                throw Damaged($"it ends after {written:#,0} of {target.Length:#,0} bytes");
            }
        }
        finally
        {
            ArrayPool<uint>.Shared.Return(transformed);
        }
    }

    private int Block(Span<uint> transformed, Span<byte> target, uint crc)
    {
        if (Bits(1) != 0)
        {
            throw Damaged("a block is randomised, as no bzip2 has written since 1997");
        }

        uint origin = Bits(24);
        Span<int> counts = stackalloc int[256];
        counts.Clear();
        int length = ReadSymbols(transformed, counts);
        if (origin >= length)
        {
            throw Damaged("a block starts behind its end");
        }

        // Backwards: where in the sorted order each byte's successor is.
        int sum = 0;
        for (int i = 0; i < 256; i++)
        {
            (counts[i], sum) = (sum, sum + counts[i]);
        }

        for (int i = 0; i < length; i++)
        {
            transformed[counts[(int)(transformed[i] & 0xff)]++] |= (uint)i << 8;
        }

        return Unroll(transformed[..length], transformed[(int)origin] >> 8, target, crc);
    }

    // Four equal bytes are followed by how many more there are.
    private readonly int Unroll(ReadOnlySpan<uint> transformed, uint position, Span<byte> target, uint expected)
    {
        int written = 0;
        int run = 0;
        int last = -1;
        for (int i = 0; i < transformed.Length; i++)
        {
            uint entry = transformed[(int)position];
            byte value = (byte)entry;
            position = entry >> 8;
            int repeat = 1;
            if (run == 4)
            {
                (repeat, run, value) = (value, 0, (byte)last);
                last = -1;
            }
            else
            {
                run = value == last ? run + 1 : 1;
                last = value;
            }

            if (repeat > target.Length - written)
            {
                throw Damaged("it holds more than the chunk");
            }

            if (repeat == 1)
            {
                target[written++] = value;
                continue;
            }

            target.Slice(written, repeat).Fill(value);
            written += repeat;
        }

        uint crc = uint.MaxValue;
        foreach (byte value in target[..written])
        {
            crc = crc << 8 ^ Bzip2Crc.Table[(int)(crc >> 24 ^ value)];
        }

        return ~crc == expected ? written : throw Damaged("a block's checksum is wrong");
    }

    private int ReadSymbols(scoped Span<uint> transformed, scoped Span<int> counts)
    {
        Span<byte> front = stackalloc byte[256];
        int used = ReadAlphabet(front);
        int alphabet = used + 2;
        int groups = (int)Bits(3);
        int selectors = (int)Bits(15);
        if (used == 0 || groups is < 2 or > 6 || selectors == 0)
        {
            throw Damaged("a block has no code tables");
        }

        Span<byte> order = stackalloc byte[MaxSelectors];
        ReadSelectors(order, selectors, groups);
        Span<byte> lengths = stackalloc byte[MaxAlphabet];
        Bzip2Code[] codes = new Bzip2Code[groups];
        for (int i = 0; i < groups; i++)
        {
            ReadLengths(lengths[..alphabet]);
            codes[i] = new Bzip2Code(lengths[..alphabet]);
        }

        int length = 0;
        int run = 0;
        int weight = 1;
        for (int group = 0; ; group++)
        {
            if (group >= selectors || group >= MaxSelectors)
            {
                throw Damaged("a block has no end");
            }

            Bzip2Code code = codes[order[group]];
            for (int i = 0; i < GroupSize; i++)
            {
                int symbol = Symbol(code);
                if (symbol <= 1)
                {
                    // Runs of the front byte, in digits 1 and 2.
                    run = weight > transformed.Length ? throw Damaged("a run is longer than a block") : run + (weight << symbol);
                    weight <<= 1;
                    continue;
                }

                if (run > 0)
                {
                    length = Append(transformed, counts, length, front[0], run);
                    (run, weight) = (0, 1);
                }

                if (symbol == alphabet - 1)
                {
                    return length;
                }

                byte value = front[symbol - 1];
                front[..(symbol - 1)].CopyTo(front[1..]);
                front[0] = value;
                length = Append(transformed, counts, length, value, 1);
            }
        }
    }

    private readonly int Append(scoped Span<uint> transformed, scoped Span<int> counts, int length, byte value, int count)
    {
        if (count > transformed.Length - length)
        {
            throw Damaged("a block is longer than the stream says");
        }

        transformed.Slice(length, count).Fill(value);
        counts[value] += count;
        return length + count;
    }

    // Two levels of 16 bits say which bytes occur.
    private int ReadAlphabet(scoped Span<byte> symbols)
    {
        uint rows = Bits(16);
        int used = 0;
        for (int row = 0; row < 16; row++)
        {
            uint columns = (rows >> (15 - row) & 1) != 0 ? Bits(16) : 0;
            for (int column = 0; column < 16; column++)
            {
                if ((columns >> (15 - column) & 1) != 0)
                {
                    symbols[used++] = (byte)(row * 16 + column);
                }
            }
        }

        return used;
    }

    private void ReadSelectors(scoped Span<byte> order, int selectors, int groups)
    {
        Span<byte> front = [0, 1, 2, 3, 4, 5];
        for (int i = 0; i < selectors; i++)
        {
            int index = 0;
            while (Bits(1) != 0)
            {
                if (++index >= groups)
                {
                    throw Damaged("a block names a code table that it does not have");
                }
            }

            byte value = front[index];
            front[..index].CopyTo(front[1..]);
            front[0] = value;

            // Some writers give more selectors than a block can need; they are read and not kept.
            if (i < order.Length)
            {
                order[i] = value;
            }
        }
    }

    private void ReadLengths(scoped Span<byte> lengths)
    {
        int length = (int)Bits(5);
        for (int i = 0; i < lengths.Length; i++)
        {
            while (true)
            {
                if (length is < 1 or > Bzip2Code.MaxLength)
                {
                    throw Damaged("a code table is wrong");
                }

                if (Bits(1) == 0)
                {
                    break;
                }

                length += Bits(1) == 0 ? 1 : -1;
            }

            lengths[i] = (byte)length;
        }
    }

    private int Symbol(Bzip2Code code)
    {
        int symbol = code.Decode(Peek(Bzip2Code.MaxLength), out int length);
        if (symbol < 0)
        {
            throw Damaged("a code is not in its table");
        }

        Skip(length);
        return symbol;
    }

    private uint Bits(int count)
    {
        uint value = Peek(count);
        Skip(count);
        return value;
    }

    // The next bits, at most 32, the first highest; zeros behind the end, which Skip does not pass.
    private readonly uint Peek(int count)
    {
        int at = (int)(_bit >> 3);
        ulong next;
        if (at <= _source.Length - sizeof(ulong))
        {
            next = BinaryPrimitives.ReadUInt64BigEndian(_source[at..]);
        }
        else
        {
            Span<byte> last = stackalloc byte[sizeof(ulong)];
            last.Clear();
            _source[Math.Min(at, _source.Length)..].CopyTo(last);
            next = BinaryPrimitives.ReadUInt64BigEndian(last);
        }

        return (uint)(next << (int)(_bit & 7) >> (64 - count));
    }

    private void Skip(int count)
    {
        _bit += count;
        if (_bit > _source.Length * 8L)
        {
            throw Damaged("it is cut short");
        }
    }

    private ulong LongBits(int count) => (ulong)Bits(count - 24) << 24 | Bits(24);

    private readonly ImageException Damaged(string what) => new(ImageErrorKind.Corrupt, _file, $"Compressed chunk cannot be inflated: {what}");
}
