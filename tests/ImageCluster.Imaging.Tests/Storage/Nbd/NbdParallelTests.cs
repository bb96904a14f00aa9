using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Nbd;
using ImageCluster.Testing.Nbd;

namespace ImageCluster.Imaging.Tests.Storage.Nbd;

/// <summary>
/// How many requests and connections are under way: counted by a server that answers none before there are eight (so that no clock matters), and
/// seen with nbdkit's slow reads.
/// </summary>
public sealed class NbdParallelTests
{
    private const int Size = 8 << 20;
    private const ushort HasFlags = 1 << 0;
    private const ushort MultiConnection = 1 << 8;
    private const ushort SendFlush = 1 << 2;

    [Fact]
    public void OneSequentialReaderKeepsEightReadsUnderWay()
    {
        // The reader has to be known as one first.
        using Gate gate = new(HasFlags, from: 4 << 20);
        using (IBlockFile file = NbdTestFile.Open(gate.Url))
        {
            byte[] buffer = new byte[64 << 10];
            for (long at = 0; at < Size; at += buffer.Length)
            {
                Assert.Equal(buffer.Length, file.Read(at, buffer));
                Assert.Equal(Gate.At(at), buffer[0]);
                Assert.Equal(Gate.At(at + buffer.Length - 1), buffer[^1]);
            }
        }

        gate.RequireEight();
        Assert.Equal(1, gate.Connections);
    }

    [Theory]
    [InlineData(HasFlags, 1)]
    [InlineData(HasFlags | MultiConnection, 4)]
    public void OneLongReadKeepsEightReadsUnderWay(int flags, int connections)
    {
        using Gate gate = new((ushort)flags);
        using (IBlockFile file = NbdTestFile.Open(gate.Url))
        {
            byte[] buffer = new byte[Size];
            Assert.Equal(Size, file.Read(0, buffer));
            for (int i = 0; i < Size; i += 4099)
            {
                Assert.Equal(Gate.At(i), buffer[i]);
            }
        }

        gate.RequireEight();
        Assert.Equal(connections, gate.Connections);
    }

    [Theory]
    [InlineData(HasFlags, 1)]
    [InlineData(HasFlags | MultiConnection, 4)]
    public void EightThreadsKeepEightReadsUnderWay(int flags, int most)
    {
        using Gate gate = new((ushort)flags);
        using (IBlockFile file = NbdTestFile.Open(gate.Url))
        {
            NbdTestFile.InParallel(8, i =>
            {
                byte[] buffer = new byte[4096];
                Assert.Equal(buffer.Length, file.Read(i * 100_000, buffer));
                Assert.Equal(Gate.At(i * 100_000), buffer[0]);
            });
        }

        gate.RequireEight();
        Assert.InRange(gate.Connections, 1, most);
    }

    [Fact]
    public void OneLongWriteKeepsEightWritesUnderWay()
    {
        using Gate gate = new(HasFlags | SendFlush);
        using (IBlockFile file = NbdTestFile.Open(gate.Url, write: true))
        {
            file.Write(0, new byte[Size]);
        }

        gate.RequireEight();
    }

    [SkippableFact]
    public void AServerOfSlowReadsSeesSeveralAtOnce()
    {
        using NbdServer server = NbdServer.Kit("--filter=log", "--filter=delay", "pattern", "8M", "rdelay=20ms", "logfile=LOG");
        using (IBlockFile file = NbdTestFile.Open(server.Url))
        {
            byte[] buffer = new byte[64 << 10];
            for (long at = 0; at < Size; at += buffer.Length)
            {
                Assert.Equal(buffer.Length, file.Read(at, buffer));
                Assert.Equal((byte)(at >> 16), buffer[5]);
            }
        }

        Assert.InRange(server.MostUnderWay("Read"), 2, NbdSettings.Default.Depth);
    }

    // Holds requests from an offset on until there are eight, once; then it answers whatever comes.
    private sealed class Gate : IDisposable
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

        private readonly Lock _lock = new();
        private readonly List<(NbdPeer Peer, NbdPeerRequest Request)> _held = [];
        private readonly FakeNbdServer _server;
        private readonly Timer _giveUp;
        private readonly long _from;
        private bool _isOpen;
        private bool _sawEight;

        public Gate(ushort flags, long from = 0)
        {
            _from = from;
            _giveUp = new Timer(_ => Open(), null, Patience, Timeout.InfiniteTimeSpan);
            _server = new FakeNbdServer(peer =>
            {
                peer.Negotiate(Size, flags);
                while (peer.ReceiveRequest() is { } request)
                {
                    Take(peer, request);
                }
            });
        }

        public string Url => _server.Url;

        public int Connections => _server.Connections;

        public static byte At(long offset) => (byte)((offset * 7) ^ (offset >> 16));

        public void RequireEight() => Assert.True(_sawEight, "there never were eight requests at once");

        public void Dispose()
        {
            _giveUp.Dispose();
            _server.Dispose();
        }

        private void Take(NbdPeer peer, NbdPeerRequest request)
        {
            lock (_lock)
            {
                if (_isOpen || request.Command > 1 || (long)request.Offset < _from)
                {
                    Answer(peer, request);
                    return;
                }

                _held.Add((peer, request));
                if (_held.Count == 8)
                {
                    _sawEight = true;
                    Open();
                }
            }
        }

        private void Open()
        {
            lock (_lock)
            {
                _isOpen = true;
                _held.ForEach(static held => Answer(held.Peer, held.Request));
                _held.Clear();
            }
        }

        private static void Answer(NbdPeer peer, NbdPeerRequest request)
        {
            if (request.Command == 0)
            {
                byte[] data = new byte[request.Length];
                for (int i = 0; i < data.Length; i++)
                {
                    data[i] = At((long)request.Offset + i);
                }

                peer.Data(request, data);
            }
            else
            {
                peer.Chunk(request.Cookie, 0, true);
            }
        }
    }
}
