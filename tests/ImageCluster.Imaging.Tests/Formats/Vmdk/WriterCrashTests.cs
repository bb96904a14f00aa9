using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Vmdk;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>
/// A machine that crashes at any instant: the image opens and checks without error, what was flushed is there, and every sector holds
/// something that was written to it.
/// </summary>
public sealed class WriterCrashTests
{
    private const int Grain = 65536;
    private const int Size = 24 * Grain;
    private const int Sectors = Size / 512;

    [Theory]
    [InlineData("monolithicSparse")]
    [InlineData("monolithicSparse,zeroed_grain=on")]
    [InlineData("monolithicFlat")]
    public void Crashes_lose_nothing_that_was_flushed(string options)
    {
        for (int seed = 1; seed <= 4; seed++)
        {
            MemoryLocator start = new();
            new VmdkFormat().Create(FillTests.Request(start, "disk.vmdk", Size, options));
            CrashLocator files = new(start);
            List<(int Instant, byte[] Model)> flushed = [(0, new byte[Sectors])];
            List<(int Instant, int First, int Count, byte Value)> writes = [];
            Run(files, seed, flushed, writes);
            foreach (int instant in files.FlushPoints)
            {
                Verify(files.AfterCrash(instant), instant, flushed, writes);
                Verify(files.AfterCrash(instant, seed), instant, flushed, writes);
            }
        }
    }

    private static void Run(CrashLocator files, int seed, List<(int, byte[])> flushed, List<(int, int, int, byte)> writes)
    {
        Random random = new(seed);
        byte[] model = new byte[Sectors];
        using LayeredDisk disk = WriterTests.Open(files, "disk.vmdk");
        for (byte value = 1; value < 25; value++)
        {
            int first = random.Next(Sectors);
            int count = Math.Min(Sectors - first, random.Next(2) == 0 ? random.Next(1, 16) : random.Next(1, 400));
            byte written = random.Next(4) == 0 ? (byte)0 : value;
            writes.Add((files.Instants, first, count, written));
            model.AsSpan(first, count).Fill(written);
            if (written == 0)
            {
                disk.WriteZeroes(first * 512L, count * 512L, ZeroMode.MayUnmap);
            }
            else
            {
                byte[] data = new byte[count * 512];
                data.AsSpan().Fill(written);
                disk.Write(first * 512L, data);
            }

            if (random.Next(4) == 0)
            {
                disk.Flush();
                flushed.Add((files.Instants, (byte[])model.Clone()));
            }
        }
    }

    private static void Verify(MemoryLocator files, int instant, List<(int Instant, byte[] Model)> flushed, List<(int Instant, int First, int Count, byte Value)> writes)
    {
        (int since, byte[] durable) = flushed.FindLast(one => one.Instant <= instant);
        using LayeredDisk disk = WriterTests.Open(files, "disk.vmdk");
        Assert.Empty(((Reader)disk.Top).Check(0).Messages);
        byte[] bytes = VmdkImages.ReadAll(disk);
        for (int sector = 0; sector < Sectors; sector++)
        {
            ReadOnlySpan<byte> content = bytes.AsSpan(sector * 512, 512);
            byte value = content[0];
            Assert.True(content.IndexOfAnyExcept(value) < 0, $"sector {sector} is torn");
            bool possible = value == durable[sector] ||
                writes.Exists(write => write.Instant >= since && write.Instant < instant && write.Value == value && sector >= write.First && sector < write.First + write.Count);
            Assert.True(possible, $"sector {sector} holds {value}, flushed was {durable[sector]} (crash at {instant})");
        }
    }
}
