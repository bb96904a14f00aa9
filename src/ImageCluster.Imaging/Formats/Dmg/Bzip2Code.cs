namespace ImageCluster.Imaging.Formats.Dmg;

/// <summary>A canonical Huffman code of bzip2: short codes by one look into a table, longer ones length by length.</summary>
internal sealed class Bzip2Code
{
    /// <summary>Bits of the longest code.</summary>
    public const int MaxLength = 20;

    private const int TableBits = 10;

    // Symbol and length of the code that the next bits start with; 0 for a longer one or none.
    private readonly ushort[] _table = new ushort[1 << TableBits];
    private readonly int[] _first = new int[MaxLength + 1];
    private readonly int[] _counts = new int[MaxLength + 1];
    private readonly int[] _starts = new int[MaxLength + 1];
    private readonly int[] _symbols;

    /// <param name="lengths">Bits of each symbol's code, 1 to <see cref="MaxLength"/>.</param>
    public Bzip2Code(ReadOnlySpan<byte> lengths)
    {
        _symbols = new int[lengths.Length];
        foreach (byte length in lengths)
        {
            _counts[length]++;
        }

        int code = 0;
        int start = 0;
        for (int length = 1; length <= MaxLength; length++)
        {
            _first[length] = code;
            _starts[length] = start;
            for (int symbol = 0; symbol < lengths.Length; symbol++)
            {
                if (lengths[symbol] == length)
                {
                    _symbols[start++] = symbol;
                    Tabulate(code++, length, symbol);
                }
            }

            code <<= 1;
        }
    }

    /// <summary>The symbol whose code the next <see cref="MaxLength"/> bits start with, and its length; -1 for none.</summary>
    public int Decode(uint bits, out int length)
    {
        int entry = _table[bits >> (MaxLength - TableBits)];
        length = entry & 0xf;
        if (entry != 0)
        {
            return entry >> 4;
        }

        for (length = TableBits + 1; length <= MaxLength; length++)
        {
            int index = (int)(bits >> (MaxLength - length)) - _first[length];
            if (index >= 0 && index < _counts[length])
            {
                return _symbols[_starts[length] + index];
            }
        }

        return -1;
    }

    // A damaged table may claim more codes than there are: what does not fit is never met.
    private void Tabulate(int code, int length, int symbol)
    {
        if (length <= TableBits && code < 1 << length)
        {
            _table.AsSpan(code << (TableBits - length), 1 << (TableBits - length)).Fill((ushort)(symbol << 4 | length));
        }
    }
}
