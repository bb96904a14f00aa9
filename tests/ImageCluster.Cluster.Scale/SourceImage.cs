using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Cluster.Scale;

/// <summary>A raw image to be converted: data and holes in turn, in runs of 64 KiB to 8 MiB.</summary>
internal static class SourceImage
{
    private const int Unit = 64 << 10;
    private const int LongestRun = 128;

    public static void Make(string path, long size)
    {
        var random = new Random(1);
        byte[] data = new byte[Unit * LongestRun];
        random.NextBytes(data);
        using SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        RandomAccess.SetLength(file, size);
        bool isData = true;
        for (long at = 0; at < size; isData = !isData)
        {
            int length = (int)Math.Min(size - at, Unit * (long)random.Next(1, LongestRun + 1));
            if (isData)
            {
                RandomAccess.Write(file, data.AsSpan(0, length), at);
            }

            at += length;
        }

        RandomAccess.FlushToDisk(file);
    }
}
