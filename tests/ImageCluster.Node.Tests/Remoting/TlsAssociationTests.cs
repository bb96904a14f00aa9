using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Remote.Transport;
using Google.Protobuf;
using ImageCluster.Node.Remoting;
using ImageCluster.Node.Tests.Support;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Node.Tests.Remoting;

/// <summary>One connection to a node that reads when the test wants it to.</summary>
public sealed class TlsAssociationTests : IDisposable
{
    private const int FrameLength = 100_000;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly TempDirectory _directory = new();
    private readonly TestAuthority _authority;

    public TlsAssociationTests() => _authority = new TestAuthority(_directory, "authority");

    public void Dispose()
    {
        _authority.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task What_waits_for_a_node_that_does_not_read_is_bounded_and_goes_on_when_it_reads()
    {
        (SslStream ours, SslStream theirs) = await ConnectAsync();
        await using SslStream other = theirs;
        using var association = new TlsAssociation(Address.AllSystems, Address.AllSystems, ours, FrameLength);
        association.ReadHandlerSource.SetResult(new Deaf());
        Task<string?> run = association.RunAsync();
        ByteString payload = ByteString.CopyFrom(new byte[FrameLength]);
        int taken = 0;
        // A gigabyte is far more than any buffer on the way has.
        while (taken < 10_000 && association.Write(payload))
        {
            taken++;
        }

        Assert.InRange(taken, 10, 9_999);
        var frame = new byte[sizeof(int) + FrameLength];
        for (int i = 0; i < taken; i++)
        {
            await other.ReadExactlyAsync(frame).AsTask().WaitAsync(Patience);
            Assert.Equal(FrameLength, BinaryPrimitives.ReadInt32LittleEndian(frame));
        }

        // What was counted when it went out may be a moment behind what has come.
        Assert.True(SpinWait.SpinUntil(() => association.Write(payload), Patience));
        await other.ReadExactlyAsync(frame).AsTask().WaitAsync(Patience);
        other.Close();
        await run.WaitAsync(Patience);
    }

    private async Task<(SslStream Ours, SslStream Theirs)> ConnectAsync()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)server.LocalEndpoint);
        TcpClient taken = await server.AcceptTcpClientAsync();
        Task<SslStream> theirs = new NodeIdentity(_authority.Issue("node2")).TakeAsync(taken.GetStream(), default);
        SslStream ours = await new NodeIdentity(_authority.Issue("node1")).MakeAsync(client.GetStream(), "127.0.0.1", default);
        return (ours, await theirs);
    }

    private sealed class Deaf : IHandleEventListener
    {
        public void Notify(IHandleEvent ev)
        {
        }
    }
}
