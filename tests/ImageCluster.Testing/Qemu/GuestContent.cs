namespace ImageCluster.Testing.Qemu;

/// <summary>Generated guest bytes of every kind that matters: holes, written zeros, random, text-like, small islands in zeros.</summary>
public static class GuestContent
{
    /// <summary>Bytes for a disk; the same seed gives the same bytes.</summary>
    /// <param name="length">Bytes.</param>
    /// <param name="seed">Any number.</param>
    /// <param name="grain">Upper limit of a run's length in bytes.</param>
    public static byte[] Make(int length, int seed, int grain = 256 << 10)
    {
        byte[] bytes = new byte[length];
        Random random = new(seed);
        for (int at = 0; at < length;)
        {
            int run = random.Next(4) == 0 ? random.Next(1, 4096) : random.Next(1, grain);
            if (random.Next(3) > 0)
            {
                run = (run + 4095) & ~4095;
            }

            run = Math.Min(run, length - at);
            Span<byte> part = bytes.AsSpan(at, run);
            switch (random.Next(5))
            {
                case 0 or 1:
                    break;
                case 2:
                    random.NextBytes(part);
                    break;
                case 3:
                    Text(part, random);
                    break;
                default:
                    part[random.Next(run)] = 0x5A;
                    break;
            }

            at += run;
        }

        return bytes;
    }

    private static void Text(Span<byte> part, Random random)
    {
        ReadOnlySpan<byte> words = "the cluster of a guest is mapped by two levels of tables whose entries are big endian "u8;
        for (int i = 0; i < part.Length; i++)
        {
            part[i] = random.Next(16) == 0 ? (byte)random.Next(97, 123) : words[i % words.Length];
        }
    }
}
