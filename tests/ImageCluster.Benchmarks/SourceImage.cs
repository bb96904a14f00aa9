using System.Text;

namespace ImageCluster.Benchmarks;

/// <summary>
/// The raw disk that is converted: half holes, a tenth written zeros, the rest half text (compresses about 3:1) and half noise, in runs of
/// 64 KiB to 8 MiB. The same bytes for the same size every time.
/// </summary>
internal static class SourceImage
{
    private const int Unit = 64 << 10;

    public static void Write(string path, long size)
    {
        Random random = new(20160616);
        byte[] text = Text(random);
        byte[] buffer = new byte[8 << 20];
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite);
        RandomAccess.SetLength(file, size);
        for (long at = 0; at < size;)
        {
            int length = (int)Math.Min(size - at, (long)Unit << random.Next(8));
            Span<byte> run = buffer.AsSpan(0, length);
            double kind = random.NextDouble();
            if (kind >= 0.5)
            {
                Fill(run, kind, text, random);
                RandomAccess.Write(file, run, at);
            }

            at += length;
        }

        RandomAccess.FlushToDisk(file);
    }

    private static void Fill(Span<byte> run, double kind, byte[] text, Random random)
    {
        if (kind < 0.6)
        {
            run.Clear();
        }
        else if (kind < 0.8)
        {
            for (int at = 0; at < run.Length;)
            {
                int length = Math.Min(run.Length - at, 4096);
                text.AsSpan(random.Next(text.Length - length), length).CopyTo(run[at..]);
                at += length;
            }
        }
        else
        {
            random.NextBytes(run);
        }
    }

    // Words drawn unevenly from a small vocabulary: what logs and sources look like to a compressor.
    private static byte[] Text(Random random)
    {
        string[] words = new string[3000];
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = string.Create(random.Next(2, 11), random, static (span, r) =>
            {
                for (int c = 0; c < span.Length; c++)
                {
                    span[c] = (char)('a' + (int)(26 * r.NextDouble() * r.NextDouble()));
                }
            });
        }

        StringBuilder text = new();
        while (text.Length < 4 << 20)
        {
            text.Append(words[(int)(words.Length * random.NextDouble() * random.NextDouble())]).Append(random.Next(12) == 0 ? '\n' : ' ');
        }

        return Encoding.ASCII.GetBytes(text.ToString());
    }
}
