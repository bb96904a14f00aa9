using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using ImageCluster.Api.Client;
using ImageCluster.Api.Documents;
using ImageCluster.Cli.Demonstrating;
using ImageCluster.Node.Configuration;
using ImageCluster.Node.Remoting;
using ImageCluster.Node.Tests.Support;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Node.Tests.EndToEnd;

/// <summary>Node processes that look at each other's certificates, and strangers that come to them.</summary>
public sealed class ClusterTlsTests : IDisposable
{
    /// <summary>Where .NET finds what a machine trusts, in place of the machine's own.</summary>
    private const string TrustVariable = "SSL_CERT_FILE";

    private readonly NodeProcesses _nodes = new();
    private readonly TestAuthority _authority;
    private readonly TestAuthority _other;

    public ClusterTlsTests()
    {
        (_authority, _other) = (new TestAuthority(_nodes.Directory, "authority"), new TestAuthority(_nodes.Directory, "other"));
        // All nodes run on a machine that trusts the other authority, as one trusts the public ones.
        Environment.SetEnvironmentVariable(TrustVariable, _other.Path);
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(TrustVariable, null);
        _nodes.Dispose();
        _authority.Dispose();
        _other.Dispose();
    }

    [SkippableFact]
    public async Task Nodes_of_one_authority_work_together_and_nobody_else_comes_in()
    {
        QemuTools.Require();
        var content = new byte[4 << 20];
        new Random(1).NextBytes(content.AsSpan(1 << 20, 1 << 20));
        File.WriteAllBytes(_nodes.Directory["disks/0.img"], content);
        using ClusterClient client = await _nodes.StartAsync(3, null, i => Settings(_authority.Issue($"node{i}")));
        DemoNode first = _nodes[0];
        string[] address = first.ClusterAddress.Split(':');
        int port = int.Parse(address[1], System.Globalization.CultureInfo.InvariantCulture);

        // A node that would take anybody, with a certificate that the machine trusts; one of another cluster; one without TLS.
        DemoNode trusted = Join(first, [.. Settings(_other.Issue("trusted"))[..^2], "--cluster.tls.validate", "false"]);
        DemoNode foreign = Join(first, Settings(_other.Issue("foreign")));
        Join(first);
        await _nodes.LoggedAsync(first, $"was refused: its certificate (CN=trusted, from CN=other) comes from no authority in '{_authority.Path}'");
        await _nodes.LoggedAsync(trusted, "if it refuses this node's certificate, its log says why");
        await _nodes.LoggedAsync(foreign, $"its certificate (CN=node0, from CN=authority) comes from no authority in '{_other.Path}'");
        await _nodes.LoggedAsync(first, "was refused: it does not speak TLS");

        // A certificate that has expired no node starts with, so it comes without one.
        await GreetAsync(port, new NodeIdentity(_authority.Issue("old", days: -1)));
        await _nodes.LoggedAsync(first, "is valid only from");
        using (var plain = new TcpClient("127.0.0.1", port))
        {
            await using var stream = new SslStream(plain.GetStream(), false, (_, certificate, _, _) => certificate is not null);
            await stream.AuthenticateAsClientAsync("127.0.0.1");
            await _nodes.LoggedAsync(first, "was refused: it shows no certificate");
        }

        // The cluster has gone on, and nobody else is in it.
        await _nodes.UntilAsync(() => client.SubmitMigrationAsync(new MigrationSubmission { Id = "lab", Manifest = NodeProcesses.Manifest }), _ => true);
        MigrationDocument end = await _nodes.UntilAsync(() => client.GetMigrationAsync("lab"), migration => migration.IsOver);
        Assert.True(end.State == "succeeded", $"{end.State}: {string.Join("; ", end.Reasons)}");
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", _nodes.Directory["disks/0.img"], _nodes.Directory["targets/0.qcow2"]);
        Assert.Equal(3, (await client.ListWorkersAsync()).Items.Count);
        Assert.DoesNotContain("This node is", NodeProcesses.LogOf(trusted) + NodeProcesses.LogOf(foreign), StringComparison.Ordinal);
    }

    private static string[] Settings(ClusterTls tls) =>
        ["--cluster.tls.certificate", tls.Certificate.Path, "--cluster.tls.passwordFile", Path.Join(Path.GetDirectoryName(tls.Certificate.Path), "certificate-password"),
            "--cluster.tls.authority", tls.AuthorityPath!];

    private static async Task GreetAsync(int port, NodeIdentity identity)
    {
        using var client = new TcpClient("127.0.0.1", port);
        try
        {
            // The one that it comes with is of the same authority: it takes the node, the node does not take it.
            await using SslStream stream = await identity.MakeAsync(client.GetStream(), "127.0.0.1", CancellationToken.None);
            _ = await stream.ReadAsync(new byte[1]);
        }
        catch (Exception e) when (e is IOException or AuthenticationException)
        {
        }
    }

    private DemoNode Join(DemoNode seed, params string[] settings) =>
        _nodes.Begin([.. settings, "--cluster.seeds", seed.ClusterAddress, "--roles", "worker", "--worker.roots", $"disks={_nodes.Directory["disks"]}"]);
}
