using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using ImageCluster.Node.Configuration;
using ImageCluster.Node.Remoting;
using ImageCluster.Node.Tests.Support;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Node.Tests.Remoting;

/// <summary>Who is taken for a node of the cluster, and what is said of who is not.</summary>
public sealed class NodeIdentityTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly TempDirectory _directory = new();
    private readonly TestAuthority _authority;
    private readonly TestAuthority _other;

    public NodeIdentityTests() => (_authority, _other) = (new TestAuthority(_directory, "authority"), new TestAuthority(_directory, "other"));

    public void Dispose()
    {
        _authority.Dispose();
        _other.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Nodes_of_one_authority_take_each_other_whatever_they_are_called()
    {
        Assert.Equal((null, null), await MeetAsync(_authority.Issue("elsewhere.example.org"), _authority.Issue("node2")));
        // By an authority in between, which is in the node's file.
        Assert.Equal((null, null), await MeetAsync(_authority.Issue("node1", isBelow: true), _authority.Issue("node2", isBelow: true)));
    }

    [Fact]
    public async Task Whoever_comes_is_asked_for_a_certificate_of_the_authority()
    {
        ClusterTls own = _authority.Issue("node1");
        // It would take anybody.
        ClusterTls stranger = _other.Issue("stranger") with { AuthorityPath = null };
        Assert.Equal($"its certificate (CN=stranger, from CN=other) comes from no authority in '{_authority.Path}'", (await MeetAsync(own, stranger)).Taker);
        Assert.Contains("is valid only from ", (await MeetAsync(own, _authority.Issue("old", days: -1))).Taker, StringComparison.Ordinal);
        Assert.Contains("is not for this use", (await MeetAsync(own, _authority.Issue("server", use: TestAuthority.ServerUse))).Taker, StringComparison.Ordinal);
        Assert.Equal("it shows no certificate", await TakeAsync(own, (client, host) => new SslStream(client, false, (_, certificate, _, _) => certificate is not null).AuthenticateAsClientAsync(host)));
        Assert.Contains("it does not speak TLS", await TakeAsync(own, async (client, _) => await client.WriteAsync(new byte[100])), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_is_met_must_have_one_too()
    {
        ClusterTls own = _authority.Issue("node1");
        ClusterTls stranger = _other.Issue("stranger") with { AuthorityPath = null };
        Assert.Contains("comes from no authority in", (await MeetAsync(stranger, own)).Maker, StringComparison.Ordinal);
        Assert.Contains("is valid only from ", (await MeetAsync(_authority.Issue("old", days: -1), own)).Maker, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_is_renewed_without_a_restart()
    {
        ClusterTls renewed = _authority.Issue("node1", days: -1);
        var identity = new NodeIdentity(renewed);
        var other = new NodeIdentity(_authority.Issue("node2"));
        Assert.NotNull((await MeetAsync(other, identity)).Taker);
        File.WriteAllText(renewed.Certificate.Path, "half");
        File.SetLastWriteTimeUtc(renewed.Certificate.Path, DateTime.UtcNow.AddSeconds(5));
        // What cannot be read changes nothing.
        Assert.Contains("is valid only from ", (await MeetAsync(other, identity)).Taker, StringComparison.Ordinal);
        _authority.Issue("node1");
        File.SetLastWriteTimeUtc(renewed.Certificate.Path, DateTime.UtcNow.AddSeconds(10));
        Assert.Equal((null, null), await MeetAsync(other, identity));
    }

    private static Task<(string? Taker, string? Maker)> MeetAsync(ClusterTls taker, ClusterTls maker) => MeetAsync(new NodeIdentity(taker), new NodeIdentity(maker));

    /// <summary>Why each of the two refuses the other; null where it does not.</summary>
    private static async Task<(string? Taker, string? Maker)> MeetAsync(NodeIdentity taker, NodeIdentity maker)
    {
        string? made = null;
        string? taken = await TakeAsync(taker, async (client, host) =>
        {
            try
            {
                await using SslStream stream = await maker.MakeAsync(client, host, CancellationToken.None);
                await stream.WriteAsync(new byte[] { 1 });
                // In TLS 1.3 the side that connects hears of a refusal only after its greeting.
                _ = await stream.ReadAsync(new byte[1]);
            }
            catch (AuthenticationException e)
            {
                made = e.Message;
            }
        });
        return (taken, made);
    }

    private static Task<string?> TakeAsync(ClusterTls taker, Func<NetworkStream, string, Task> comes) => TakeAsync(new NodeIdentity(taker), comes);

    private static async Task<string?> TakeAsync(NodeIdentity taker, Func<NetworkStream, string, Task> comes)
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        using var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)server.LocalEndpoint);
        using TcpClient taken = await server.AcceptTcpClientAsync();
        Task coming = Task.Run(() => comes(client.GetStream(), "node.example.org"));
        try
        {
            await using SslStream stream = await taker.TakeAsync(taken.GetStream(), CancellationToken.None).WaitAsync(Patience);
            return await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(Patience) == 1 ? null : "nothing was said";
        }
        catch (AuthenticationException e)
        {
            return e.Message;
        }
        catch (IOException)
        {
            // The other has gone; it says why.
            return null;
        }
        finally
        {
            taken.Close();
            try
            {
                await coming.WaitAsync(Patience);
            }
            catch (Exception e) when (e is IOException or AuthenticationException)
            {
            }
        }
    }
}
