using ImageCluster.Cli.Tests.Support;
using ImageCluster.Testing.Nbd;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Cli.Tests.EndToEnd;

/// <summary>Sources that servers have: a root may be one.</summary>
public sealed class ServerSourceTests : IDisposable
{
    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableFact]
    public void ExportsAreMigratedAndNotMigratedAgain()
    {
        QemuTools.Require();
        string raw = _lab.AddRaw("disk.raw", 1, 3 << 20);
        QemuTools.Img("convert", "-O", "vmdk", raw, _lab["src/disk.vmdk"]);
        using NbdServer server = NbdServer.Kit("-r", "file", "dir=" + _lab["src"]);
        Manifest(server.Url, "[disk.raw, disk.vmdk]");
        _lab.Run("migrate", "m.yaml").Expect(0);
        Assert.Equal(["disk.raw.qcow2", "disk.vmdk.qcow2"], _lab.Targets());
        QemuTools.Img("compare", raw, _lab["out/disk.raw.qcow2"]);
        QemuTools.Img("compare", raw, _lab["out/disk.vmdk.qcow2"]);
        Assert.Contains("Nothing to do", _lab.Run("migrate", "m.yaml").Expect(0).Output, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void AnExportThatIsNotThereIsRefusedAndTheOthersAreMigrated()
    {
        string raw = _lab.AddRaw("disk.raw", 1, 1 << 20);
        using NbdServer server = NbdServer.Kit("-r", "file", "dir=" + _lab["src"]);
        Manifest(server.Url, "[disk.raw, missing.raw]");
        CliRun run = _lab.Run("migrate", "m.yaml");
        Assert.NotEqual(0, run.ExitCode);
        Assert.Equal(["disk.raw.qcow2"], _lab.Targets());
        QemuTools.Img("compare", raw, _lab["out/disk.raw.qcow2"]);
    }

    [SkippableFact]
    public void AnImageOnAServerReachesNothingElse()
    {
        // A stranger's image that names a file of this machine, one that names another export, and one that names a relative file.
        QemuTools.Require();
        string secret = _lab.AddRaw("secret.raw", 1, 1 << 20);
        using NbdServer other = NbdServer.Kit("-r", "file", secret);
        QemuTools.Img("create", "-q", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", _lab["src/file.qcow2"], "1M");
        QemuTools.Img("create", "-q", "-f", "qcow2", "-b", other.Url, "-F", "raw", _lab["src/url.qcow2"], "1M");
        QemuTools.Img("create", "-q", "-f", "qcow2", "-b", "secret.raw", "-F", "raw", _lab["src/relative.qcow2"], "1M");
        using NbdServer server = NbdServer.Kit("-r", "file", "dir=" + _lab["src"]);
        Manifest(server.Url, "[file.qcow2, url.qcow2, relative.qcow2]");
        CliRun run = _lab.Run("migrate", "m.yaml");
        Assert.NotEqual(0, run.ExitCode);
        Assert.Empty(_lab.Targets());
        string said = run.Output + run.Error;
        Assert.Contains("lies outside the allowed", said, StringComparison.Ordinal);
        Assert.Contains("an image may not name protocol 'nbd+unix' here", said, StringComparison.Ordinal);
        Assert.Contains("Cannot generate a base directory for NBD nodes", said, StringComparison.Ordinal);
    }

    [Fact]
    public void AServerIsNotSearched()
    {
        Directory.CreateDirectory(_lab["out"]);
        File.WriteAllText(_lab["m.yaml"], """
            version: 1
            name: test
            sources: [{ root: "nbd://127.0.0.1:1", include: "*" }]
            target: { root: ./out, format: qcow2 }
            """);
        CliRun run = _lab.Run("migrate", "m.yaml");
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains("is a server, which is not searched", run.Error, StringComparison.Ordinal);
    }

    private void Manifest(string url, string files)
    {
        Directory.CreateDirectory(_lab["out"]);
        File.WriteAllText(_lab["m.yaml"], $$"""
            version: 1
            name: test
            roots: { store: "{{url}}" }
            sources: [{ root: store, files: {{files}} }]
            target: { root: ./out, format: qcow2, name: "{path}/{file}.qcow2" }
            """);
    }
}
