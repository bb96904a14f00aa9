using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Nbd;

namespace ImageCluster.Imaging.Tests.Storage.Nbd;

/// <summary>What a server claims takes no memory. The memory of all threads counts, so that nothing else runs meanwhile.</summary>
[Collection(nameof(NbdAllocationTests))]
[CollectionDefinition(nameof(NbdAllocationTests), DisableParallelization = true)]
public sealed class NbdAllocationTests
{
    private const long Size = 1L << 60;

    [Fact]
    public void AReadIsNotAllocatedByWhatTheServerClaims()
    {
        // An exabyte of export: opening it and looking at its end costs nothing.
        using FakeNbdServer server = new(static peer =>
        {
            peer.Negotiate(Size);
            while (peer.ReceiveRequest() is { } request)
            {
                bool isRead = request.Command == 0;
                peer.Chunk(request.Cookie, isRead ? (ushort)2 : (ushort)5, true, isRead ? [request.Offset, request.Length] : [1u, uint.MaxValue, 3u]);
            }
        });
        long before = GC.GetTotalAllocatedBytes();
        using IBlockFile file = NbdTestFile.Open(server.Url);
        Assert.Equal(4096, file.Read(Size - 4096, new byte[8192]));
        Assert.True(file.NextRange(Size - 4096, 4096).IsHole);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 64 << 20);
    }
}
