using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Nbd;
using ImageCluster.Testing.Nbd;

namespace ImageCluster.Imaging.Tests.Storage.Nbd;

/// <summary>How many requests and connections are under way, counted in nbdkit's log of slow reads.</summary>
public sealed class NbdParallelTests
{
    private const int Size = 8 << 20;

    [SkippableFact]
    public void OneSequentialReaderKeepsEightReadsUnderWay()
    {
        using NbdServer server = Slow();
        using (IBlockFile file = NbdTestFile.Open(server.Url))
        {
            byte[] buffer = new byte[64 << 10];
            for (long at = 0; at < Size; at += buffer.Length)
            {
                Assert.Equal(buffer.Length, file.Read(at, buffer));
                Assert.Equal(At(at), buffer[7]);
                Assert.Equal(At(at + buffer.Length - 8), buffer[^1]);
            }
        }

        Assert.True(server.MostUnderWay("Read") >= 8, $"{server.MostUnderWay("Read")} reads at once");
    }

    [SkippableFact]
    public void OneLongReadKeepsEightReadsUnderWay()
    {
        using NbdServer server = Slow();
        using (IBlockFile file = NbdTestFile.Open(server.Url))
        {
            byte[] buffer = new byte[Size];
            Assert.Equal(Size, file.Read(0, buffer));
            Assert.Equal(At(Size - 8), buffer[^1]);
        }

        Assert.True(server.MostUnderWay("Read") >= 8, $"{server.MostUnderWay("Read")} reads at once");
    }

    [SkippableFact]
    public void EightThreadsKeepEightReadsUnderWayOnOneConnection()
    {
        using NbdServer server = Slow("--filter=multi-conn", "multi-conn-mode=disable");
        Read(server, threads: 8);
        Assert.True(server.MostUnderWay("Read") >= 8, $"{server.MostUnderWay("Read")} reads at once");
        Assert.Equal(1, Connections(server));
    }

    [SkippableFact]
    public void EightThreadsUseSeveralConnectionsWhereTheServerAllows()
    {
        using NbdServer server = Slow();
        Read(server, threads: 8);
        Assert.True(server.MostUnderWay("Read") >= 8, $"{server.MostUnderWay("Read")} reads at once");
        Assert.InRange(Connections(server), 2, NbdSettings.Default.MaxConnections);
    }

    [SkippableFact]
    public void WritesGoOutTogetherToo()
    {
        using NbdServer server = NbdServer.Kit("--filter=log", "--filter=delay", "memory", "8M", "wdelay=20ms", "logfile=LOG");
        using (IBlockFile file = NbdTestFile.Open(server.Url, write: true))
        {
            byte[] data = [.. Enumerable.Range(0, Size).Select(static i => (byte)(i / 1000))];
            file.Write(0, data);
            byte[] back = new byte[Size];
            file.Read(0, back);
            Assert.True(data.AsSpan().SequenceEqual(back));
        }

        Assert.True(server.MostUnderWay("Write") >= 8, $"{server.MostUnderWay("Write")} writes at once");
    }

    // The pattern plugin's bytes are the offset's own, a big-endian word each.
    private static byte At(long offset) => (byte)offset;

    private static NbdServer Slow(params string[] more)
    {
        string[] filters = [.. more.Where(static m => m.StartsWith('-'))];
        string[] parameters = [.. more.Where(static m => !m.StartsWith('-'))];
        return NbdServer.Kit(["--filter=log", .. filters, "--filter=delay", "pattern", "8M", "rdelay=20ms", "logfile=LOG", .. parameters]);
    }

    private static void Read(NbdServer server, int threads)
    {
        using IBlockFile file = NbdTestFile.Open(server.Url);
        NbdTestFile.InParallel(threads, i =>
        {
            byte[] buffer = new byte[16 << 10];
            for (int k = 0; k < 10; k++)
            {
                long at = ((i * 10) + k) * (long)buffer.Length;
                Assert.Equal(buffer.Length, file.Read(at, buffer));
                Assert.Equal(At(at), buffer[7]);
            }
        });
    }

    private static int Connections(NbdServer server) => server.Log().Count(static line => line.Contains(" Connect export", StringComparison.Ordinal));
}
