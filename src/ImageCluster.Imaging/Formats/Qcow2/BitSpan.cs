namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Runs of bits, the lowest bit of a byte first.</summary>
internal static class BitSpan
{
    /// <summary>The first bit in [<paramref name="from"/>, <paramref name="to"/>) that is <paramref name="value"/>; <paramref name="to"/> where none is.</summary>
    public static int Next(ReadOnlySpan<byte> bits, int from, int to, bool value)
    {
        byte other = value ? (byte)0 : (byte)0xFF;
        while (from < to)
        {
            if ((from & 7) == 0)
            {
                int same = bits[(from >> 3)..(to >> 3)].IndexOfAnyExcept(other);
                if (same != 0)
                {
                    // Whole bytes that hold nothing that is looked for.
                    from = same < 0 ? to & ~7 : from + (same << 3);
                    if (from >= to)
                    {
                        return to;
                    }
                }
            }

            if (((bits[from >> 3] >> (from & 7) & 1) != 0) == value)
            {
                return from;
            }

            from++;
        }

        return to;
    }

    /// <summary>Sets or clears the bits in [<paramref name="from"/>, <paramref name="to"/>).</summary>
    public static void Fill(Span<byte> bits, int from, int to, bool value)
    {
        for (; from < to && (from & 7) != 0; from++)
        {
            Put(bits, from, value);
        }

        if (from < to)
        {
            bits[(from >> 3)..(to >> 3)].Fill(value ? (byte)0xFF : (byte)0);
            for (from = to & ~7; from < to; from++)
            {
                Put(bits, from, value);
            }
        }
    }

    private static void Put(Span<byte> bits, int index, bool value)
    {
        byte mask = (byte)(1 << (index & 7));
        bits[index >> 3] = value ? (byte)(bits[index >> 3] | mask) : (byte)(bits[index >> 3] & ~mask);
    }
}
