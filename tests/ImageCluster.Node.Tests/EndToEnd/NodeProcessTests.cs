using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ImageCluster.Api;
using ImageCluster.Api.Client;
using ImageCluster.Api.Documents;
using ImageCluster.Cli.Demonstrating;
using ImageCluster.Node.Tests.Support;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Node.Tests.EndToEnd;

/// <summary>Several node processes on this machine with one journal in an SQLite file.</summary>
public sealed class NodeProcessTests : IDisposable
{
    private readonly NodeProcesses _nodes = new();
    private readonly TempDirectory _directory;

    public NodeProcessTests() => _directory = _nodes.Directory;

    public void Dispose() => _nodes.Dispose();

    [SkippableFact]
    public async Task A_migration_goes_through_when_a_node_is_killed_and_comes_out_right()
    {
        QemuTools.Require();
        for (int i = 0; i < 6; i++)
        {
            var content = new byte[4 << 20];
            new Random(i).NextBytes(content.AsSpan(i << 19, 1 << 20));
            File.WriteAllBytes(_directory[$"disks/{i}.img"], content);
        }

        using ClusterClient client = await _nodes.StartAsync(3);
        await _nodes.UntilAsync(() => client.SubmitMigrationAsync(new MigrationSubmission { Id = "lab", Manifest = NodeProcesses.Manifest }), _ => true);
        _nodes[1].Kill();
        // The same again while it runs: the answer of the first may have been lost.
        MigrationDocument same = await _nodes.UntilAsync(() => client.SubmitMigrationAsync(new MigrationSubmission { Id = "lab", Manifest = NodeProcesses.Manifest }), _ => true);
        Assert.Equal("lab", same.Id);
        MigrationDocument end = await _nodes.UntilAsync(() => client.GetMigrationAsync("lab"), migration => migration.IsOver);
        Assert.True(end.State == "succeeded", $"{end.State}: {string.Join("; ", end.Reasons)}");
        Assert.Equal(6, end.Images.Succeeded);
        for (int i = 0; i < 6; i++)
        {
            QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", _directory[$"disks/{i}.img"], _directory[$"targets/{i}.qcow2"]);
            QemuTools.Img("check", _directory[$"targets/{i}.qcow2"]);
        }

        // Nobody holds anything any more, and the lost worker is forgotten.
        await _nodes.UntilAsync(() => client.ListImagesAsync(new ListQuery()), images => images.Total == 0);
        await _nodes.UntilAsync(() => client.ListWorkersAsync(), workers => workers.Items.Count == 2);
        Assert.Equal("lab", Assert.Single((await client.ListMigrationsAsync(new ListQuery())).Items).Id);

        // What was acknowledged is there after all of them were stopped and one started again.
        await _nodes[2].StopAsync();
        await _nodes[0].StopAsync();
        using ClusterClient again = await _nodes.StartAsync(1);
        Assert.Equal("succeeded", (await _nodes.UntilAsync(() => again.GetMigrationAsync("lab"), _ => true)).State);
    }

    [Fact]
    public async Task Nodes_speak_by_tls_and_the_api_wants_its_token()
    {
        using RSA key = RSA.Create(2048);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        File.WriteAllBytes(_directory["node.pfx"], certificate.Export(X509ContentType.Pkcs12, "secret"));
        File.WriteAllText(_directory["password"], "secret\n");
        File.WriteAllText(_directory["token"], "0123456789abcdef\n");
        using ClusterClient client = await _nodes.StartAsync(
            2, "0123456789abcdef", "--cluster.tls.certificate", _directory["node.pfx"], "--cluster.tls.passwordFile", _directory["password"],
            "--cluster.tls.validate", "false", "--http.tokenFile", _directory["token"]);
        Assert.Equal(2, (await client.ListWorkersAsync()).Items.Count);
        using var stranger = new ClusterClient(_nodes[1].Url!, null);
        Assert.Equal(RefusalReason.Unauthorized, (await Assert.ThrowsAsync<OperationRefusedException>(() => stranger.ListWorkersAsync())).Reason);
    }

    [Fact]
    public async Task A_port_that_is_taken_is_one_line_and_an_end()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        int port = ((System.Net.IPEndPoint)taken.LocalEndpoint).Port;
        DemoNode node = _nodes.Begin("--roles", "coordinator", "--journal.file", _directory["journal.db"], "--cluster.port", $"{port}");
        await Assert.ThrowsAsync<ImageCluster.Cli.CliException>(() => node.WaitAsync(CancellationToken.None));
        await _nodes.LoggedAsync(node, $"\nimagecluster node: other nodes' connections cannot be taken on 127.0.0.1:{port}: Address already in use");
        Assert.DoesNotContain("Unhandled exception", NodeProcesses.LogOf(node), StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_worker_that_is_no_coordinator_works_without_a_journal()
    {
        QemuTools.Require();
        File.WriteAllBytes(_directory["disks/0.img"], new byte[1 << 20]);
        DemoNode coordinator = _nodes.Begin("--roles", "coordinator", "--journal.file", _directory["journal.db"]);
        await coordinator.WaitAsync(CancellationToken.None);
        DemoNode worker = _nodes.Begin(
            "--roles", "worker", "--cluster.seeds", coordinator.ClusterAddress, "--worker.roots", $"disks={_directory["disks"]},targets={_directory["targets"]}",
            "--journal.provider", "postgresql", "--journal.connectionFile", _directory["no-secret-here"]);
        await worker.WaitAsync(CancellationToken.None);
        using var client = new ClusterClient(worker.Url!, null);
        await _nodes.UntilAsync(() => client.SubmitMigrationAsync(new MigrationSubmission { Id = "lab", Manifest = NodeProcesses.Manifest }), _ => true);
        MigrationDocument end = await _nodes.UntilAsync(() => client.GetMigrationAsync("lab"), migration => migration.IsOver);
        Assert.True(end.State == "succeeded", $"{end.State}: {string.Join("; ", end.Reasons)}");
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", _directory["disks/0.img"], _directory["targets/0.qcow2"]);
        using var http = new HttpClient();
        string ready = await http.GetStringAsync(new Uri(worker.Url!, "health/ready"));
        Assert.DoesNotContain("journal", ready, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("journal", await http.GetStringAsync(new Uri(coordinator.Url!, "health/ready")), StringComparison.OrdinalIgnoreCase);

        // Each node measures what it did.
        string[] kept = (await http.GetStringAsync(new Uri(coordinator.Url!, "metrics"))).Split('\n');
        Assert.Contains("imagecluster_jobs_ended_total{operation=\"convert\",outcome=\"succeeded\"} 1", kept);
        Assert.Contains("imagecluster_jobs{state=\"working\"} 0", kept);
        Assert.Contains("imagecluster_unreachable_members 0", kept);
        string[] done = (await http.GetStringAsync(new Uri(worker.Url!, "metrics"))).Split('\n');
        Assert.Contains("imagecluster_shards_total{stage=\"install\",outcome=\"done\"} 1", done);
        Assert.Contains("imagecluster_shard_seconds_count{stage=\"install\"} 1", done);
        Assert.Contains(done, line => line.StartsWith("imagecluster_written_bytes_total ", StringComparison.Ordinal));
        Assert.DoesNotContain(done, line => line.StartsWith("imagecluster_jobs_ended_total{", StringComparison.Ordinal));
    }
}
