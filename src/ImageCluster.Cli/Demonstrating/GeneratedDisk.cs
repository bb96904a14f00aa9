using ImageCluster.Imaging.Storage;

namespace ImageCluster.Cli.Demonstrating;

/// <summary>A raw disk with something of everything (text, noise, written zeros, holes), for machines on which no file system can be made.</summary>
internal static class GeneratedDisk
{
    private const int Chunk = 256 << 10;

    public static void Make(IFileLocator files, string image, long length, long dataBytes, int seed)
    {
        using IBlockFile file = files.Create(image, length, OpenMode.ReadWrite);
        // Not for secrets: the same disk each time.
#pragma warning disable CA5394
        var random = new Random(seed);
        byte[] buffer = new byte[Chunk];
        for (long written = 0; written < dataBytes; written += Chunk)
        {
            Fill(buffer, random);
            file.Write(random.NextInt64(length / Chunk) * Chunk, buffer);
        }
#pragma warning restore CA5394
    }

    /// <summary>Changes a few places of a disk.</summary>
    public static void Change(IFileLocator files, string image, int seed)
    {
        using IBlockFile file = files.Open(image, OpenMode.ReadWrite);
#pragma warning disable CA5394
        var random = new Random(seed);
        byte[] buffer = new byte[Chunk];
        for (int i = 0; i < 40; i++)
        {
            Fill(buffer, random);
            file.Write(random.NextInt64(file.Length / 4096 - Chunk / 4096) * 4096, buffer);
        }
#pragma warning restore CA5394
    }

    private static void Fill(Span<byte> buffer, Random random)
    {
#pragma warning disable CA5394
        switch (random.Next(4))
        {
            case 0:
                buffer.Clear();
                break;
            case 1:
                random.NextBytes(buffer);
                break;
            default:
                ReadOnlySpan<byte> words = "what the guest sees of its disk is the same before and after "u8;
                for (int i = 0; i < buffer.Length; i++)
                {
                    buffer[i] = random.Next(32) == 0 ? (byte)random.Next('a', 'z') : words[i % words.Length];
                }

                break;
        }
#pragma warning restore CA5394
    }
}
