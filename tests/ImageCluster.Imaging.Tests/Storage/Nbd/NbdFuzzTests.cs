using ImageCluster.Imaging.Storage;
using ImageCluster.Testing;
using ImageCluster.Testing.Nbd;

namespace ImageCluster.Imaging.Tests.Storage.Nbd;

/// <summary>An honest server one byte of whose words is wrong: the client gets on or fails with an error of its own, and soon.</summary>
public sealed class NbdFuzzTests
{
    private const int Size = 1 << 16;

    // About as many bytes as the server says before the first data.
    private const int Head = 220;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void AWrongByteIsAnErrorOrNothing(int part)
    {
        Random random = new(TestSeed.Value + part);
        for (int i = 0; i < 25; i++)
        {
            int position = random.Next(Head);
            byte flip = (byte)random.Next(1, 256);
            string what = $"seed {TestSeed.Value}, part {part}, case {i}: byte {position} ^ {flip}";
            using FakeNbdServer server = new(peer => Serve(peer, position, flip));
            try
            {
                using IBlockFile file = NbdTestFile.Open(server.Url, settings: NbdTestFile.Quick with
                {
                    ConnectTimeout = TimeSpan.FromMilliseconds(300),
                    Timeout = TimeSpan.FromMilliseconds(300),
                    ReadRetries = 0,
                });
                if (file.Length > 0)
                {
                    (long length, _) = file.NextRange(0, file.Length);
                    Assert.True(length >= 1 && length <= file.Length, what);
                }

                byte[] buffer = new byte[3000];
                int read = file.Read(500, buffer);
                Assert.True(read <= buffer.Length, what);
                file.Read(0, new byte[1]);
            }
            catch (ImageException e)
            {
                Assert.False(string.IsNullOrEmpty(e.Message) || e.Message.Contains('\n'), $"{what}: {e.Message}");
            }
            catch (Exception e)
            {
                Assert.Fail($"{what}: {e}");
            }
        }
    }

    private static void Serve(NbdPeer peer, int position, byte flip)
    {
        peer.Corrupt(position, flip);
        peer.Negotiate(Size, minimum: 512);
        while (peer.ReceiveRequest() is { } request)
        {
            if (request.Command == 7)
            {
                peer.Chunk(request.Cookie, 5, true, 1u, 4096u, 0u, (uint)(Size - 4096), 3u);
            }
            else
            {
                uint half = request.Length / 2;
                peer.Chunk(request.Cookie, 1, false, request.Offset, new byte[half]);
                peer.Chunk(request.Cookie, 2, true, request.Offset + half, request.Length - half);
            }
        }
    }
}
