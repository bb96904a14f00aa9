using ImageCluster.Api;
using ImageCluster.Api.Client;
using ImageCluster.Api.Documents;
using ImageCluster.Node.Tests.Support;
using ImageCluster.Testing.Http;
using ImageCluster.Testing.Nbd;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Node.Tests.EndToEnd;

/// <summary>Node processes with roots that are servers: nbdkit's, qemu-nbd's, and a web server.</summary>
public sealed class RemoteRootTests : IDisposable
{
    private const int DiskSize = (4 << 20) + (3 * 512);

    private readonly NodeProcesses _nodes = new();

    public RemoteRootTests() => Directory.CreateDirectory(_nodes.Directory["served"]);

    public void Dispose() => _nodes.Dispose();

    [SkippableFact]
    public async Task Images_on_servers_are_read_by_several_workers()
    {
        QemuTools.Require();
        byte[] disk = GuestContent.Make(DiskSize, 1);
        File.WriteAllBytes(_nodes.Directory["served/0.img"], disk);
        QemuTools.Img("convert", "-f", "raw", "-O", "qcow2", _nodes.Directory["served/0.img"], _nodes.Directory["second.qcow2"]);
        byte[] image = File.ReadAllBytes(_nodes.Directory["second.qcow2"]);
        using NbdServer many = NbdServer.Files(_nodes.Directory["many.sock"], _nodes.Directory["served"]);
        // Its guest's disk as one export.
        using NbdServer one = NbdServer.Qemu(_nodes.Directory["second.qcow2"], "qcow2", "--read-only", "--shared=16", "-x", "vm.img");
        using HttpTestServer web = new(query => query.Path == "/vms/2.qcow2" ? HttpReply.File(query, image) : new HttpReply(404));
        using ClusterClient client = await StartAsync(2, $"many=nbd+unix://?socket={many.SocketPath},one=nbd+unix://?socket={one.SocketPath},web={web.Address}/vms");

        const string manifest = """
            version: 1
            name: servers
            sources:
              - {root: many, files: [0.img], format: raw}
              - {root: one, files: [vm.img], format: raw}
              - {root: web, files: [2.qcow2]}
            target: {root: targets, format: qcow2, options: {cluster_size: 4k}}
            """;
        await _nodes.UntilAsync(() => client.SubmitMigrationAsync(new MigrationSubmission { Id = "servers", Manifest = manifest }), _ => true);
        MigrationDocument end = await _nodes.UntilAsync(() => client.GetMigrationAsync("servers"), migration => migration.IsOver);
        MigrationImageList images = await client.ListMigrationImagesAsync("servers", new ListQuery());
        Assert.True(end.State == "succeeded", $"{end.State}: {string.Join("; ", images.Items.Select(image => $"{image.Source}: {image.Reason}"))}");
        foreach (string target in new[] { "0.qcow2", "vm.qcow2", "2.qcow2" })
        {
            QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", _nodes.Directory["served/0.img"], _nodes.Directory[$"targets/{target}"]);
            QemuTools.Img("check", _nodes.Directory[$"targets/{target}"]);
        }

        // And compared where they are.
        disk[DiskSize - 1] ^= 1;
        File.WriteAllBytes(_nodes.Directory["served/other.img"], disk);
        JobDocument same = await RunAsync(client, new CompareSpecDocument { First = "many:0.img", FirstFormat = "raw", Second = "targets:0.qcow2" });
        Assert.True(same is { State: "succeeded", FirstDifference: null }, $"{same.State}: {same.Reason}");
        JobDocument differing = await RunAsync(client, new CompareSpecDocument { First = "many:0.img", FirstFormat = "raw", Second = "many:other.img", SecondFormat = "raw" });
        Assert.InRange(differing.FirstDifference!.Value, DiskSize - 512, DiskSize - 1);
    }

    [SkippableFact]
    public async Task What_is_written_goes_to_directories_and_the_status_says_so()
    {
        File.WriteAllBytes(_nodes.Directory["disks/0.img"], GuestContent.Make(1 << 20, 1));
        byte[] served = GuestContent.Make(1 << 20, 2);
        File.WriteAllBytes(_nodes.Directory["served/0.img"], served);
        using NbdServer server = NbdServer.Files(_nodes.Directory["many.sock"], _nodes.Directory["served"]);
        using ClusterClient client = await StartAsync(1, $"many=nbd+unix://?socket={server.SocketPath}");

        await RefusedAsync(client, new ConvertSpecDocument { Source = "disks:0.img", SourceFormat = "raw", Target = "many:0.img", TargetFormat = "raw", Replace = true },
            "a cluster writes targets to directories only");
        await RefusedAsync(client, new ChangeSpecDocument { Image = "many:0.img", Format = "raw", Change = "resize", Size = 2 << 20 }, "a cluster changes images in directories only");
        await RefusedAsync(client, new ChangeSpecDocument { Image = "many:new.img", Format = "raw", Change = "create", Size = 2 << 20 }, "a cluster changes images in directories only");
        await RefusedAsync(client, new CommitSpecDocument { Top = "many:0.img", TopFormat = "qcow2" }, "a cluster changes images in directories only");
        await RefusedAsync(client, new RebaseSpecDocument { Image = "many:0.img", Format = "qcow2" }, "a cluster changes images in directories only");
        await RefusedAsync(client, new ConvertSpecDocument { Source = "many:gone.img", SourceFormat = "raw", Target = "targets:gone.raw", TargetFormat = "raw" }, "gone.img");
        Assert.Equal(served, File.ReadAllBytes(_nodes.Directory["served/0.img"]));
        Assert.False(File.Exists(_nodes.Directory["served/new.img"]));
    }

    [SkippableFact]
    public async Task A_server_that_is_away_is_named_and_the_job_goes_on_when_it_is_back()
    {
        byte[] disk = GuestContent.Make(1 << 20, 1);
        File.WriteAllBytes(_nodes.Directory["served/0.img"], disk);
        using NbdServer server = NbdServer.Files(_nodes.Directory["many.sock"], _nodes.Directory["served"]);
        using ClusterClient client = await StartAsync(1, $"many=nbd+unix://?socket={server.SocketPath}");
        server.Kill();
        string id = await SubmitAsync(client, new ConvertSpecDocument { Source = "many:0.img", SourceFormat = "raw", Target = "targets:0.raw", TargetFormat = "raw" });
        JobDocument waiting = await _nodes.UntilAsync(() => client.GetJobAsync(id), job => job.Troubles.Count > 0 || job.IsOver);
        Assert.Contains(server.SocketPath, waiting.Troubles[0].Reason, StringComparison.Ordinal);
        server.Start();
        JobDocument end = await _nodes.UntilAsync(() => client.GetJobAsync(id), job => job.IsOver);
        Assert.True(end.State == "succeeded", $"{end.State}: {end.Reason}");
        Assert.Equal(disk, File.ReadAllBytes(_nodes.Directory["targets/0.raw"]));
    }

    private async Task RefusedAsync(ClusterClient client, JobSpecDocument spec, string reason)
    {
        JobDocument end = await RunAsync(client, spec);
        Assert.Equal("failed", end.State);
        Assert.Contains(reason, end.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', end.Reason!);
    }

    private async Task<JobDocument> RunAsync(ClusterClient client, JobSpecDocument spec)
    {
        string id = await SubmitAsync(client, spec);
        return await _nodes.UntilAsync(() => client.GetJobAsync(id), job => job.IsOver);
    }

    private async Task<string> SubmitAsync(ClusterClient client, JobSpecDocument spec)
    {
        string id = $"job-{Guid.NewGuid():N}";
        await _nodes.UntilAsync(() => client.SubmitJobAsync(new JobSubmission { Id = id, Spec = spec }), _ => true);
        return id;
    }

    private Task<ClusterClient> StartAsync(int count, string roots) =>
        _nodes.StartAsync(count, null, "--worker.roots", $"disks={_nodes.Directory["disks"]},targets={_nodes.Directory["targets"]},{roots}");
}
