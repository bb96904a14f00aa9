using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Faults;

/// <summary>The disks that a campaign's clusters work on.</summary>
internal static class Disks
{
    /// <summary>Sparse disks of some GiB with data in places: several shards of 512 MiB each.</summary>
    public static void Make(FaultCluster cluster, int count, Random random, int mebibytesOfData = 24)
    {
        byte[] data = new byte[1 << 20];
        for (int i = 0; i < count; i++)
        {
            const long Size = 2L << 30;
            using SafeFileHandle disk = File.OpenHandle(Path.Join(cluster.Disks, $"{i}.img"), FileMode.CreateNew, FileAccess.Write);
            RandomAccess.SetLength(disk, Size);
            for (int piece = 0; piece < mebibytesOfData; piece++)
            {
                random.NextBytes(data);
                RandomAccess.Write(disk, data, random.NextInt64(Size - data.Length) & -512);
            }
        }
    }
}
