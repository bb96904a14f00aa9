using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Filling;

/// <summary>Writes of any place and length, some of them zeros, to a disk and to a plain array that models it.</summary>
internal static class RandomWrites
{
    /// <param name="disk">Written to, and flushed in the end.</param>
    /// <param name="model">What the disk reads as, before and after.</param>
    /// <param name="count">How many writes.</param>
    /// <param name="usual">Bytes of most writes, at most.</param>
    /// <param name="longest">Bytes of every fourth write, at most.</param>
    public static void Play(LayeredDisk disk, byte[] model, int count, int usual, int longest)
    {
        Random random = new(4);
        for (int i = 0; i < count; i++)
        {
            int start = random.Next(model.Length);
            int length = Math.Min(model.Length - start, random.Next(1, random.Next(4) == 0 ? longest : usual));
            Span<byte> part = model.AsSpan(start, length);
            if (random.Next(4) == 0)
            {
                part.Clear();
                disk.WriteZeroes(start, length, ZeroMode.MayUnmap);
            }
            else
            {
                random.NextBytes(part);
                disk.Write(start, part);
            }
        }

        disk.Flush();
    }
}
