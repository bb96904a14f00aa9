using System.Text.Json.Nodes;
using ImageCluster.Cli.Tests.Support;
using ImageCluster.Testing.Archives;
using ImageCluster.Testing.Http;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Cli.Tests.EndToEnd;

/// <summary>Appliances: listed, verified, and migrated disk by disk.</summary>
public sealed class ApplianceTests : IDisposable
{
    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableFact]
    public void ItsDisksAreMigratedAndNotMigratedAgain()
    {
        QemuTools.Require();
        string raw = _lab.AddRaw("plain.raw", 1, 2 << 20);
        QemuTools.Img("convert", "-O", "vmdk", "-o", "subformat=streamOptimized", raw, _lab["disk1.vmdk"]);
        Add("web.ova", ("disk1.vmdk", File.ReadAllBytes(_lab["disk1.vmdk"])), ("disk2.raw", File.ReadAllBytes(raw)));
        CliRun run = _lab.Run("migrate", "--to", "qcow2", "src", "out", "--output", "json").Expect(0);
        Assert.Equal(["plain.qcow2", "web.ova/disk1.qcow2", "web.ova/disk2.qcow2"], _lab.Targets());
        QemuTools.Img("compare", raw, _lab["out/web.ova/disk1.qcow2"]);
        QemuTools.Img("compare", raw, _lab["out/web.ova/disk2.qcow2"]);
        foreach (JsonNode? image in run.Json["images"]!.AsArray())
        {
            CliRun digest = _lab.Run("digest", (string)image!["sourceFile"]!).Expect(0);
            Assert.StartsWith((string)image["digest"]!, digest.Output, StringComparison.Ordinal);
        }

        Assert.Contains("Nothing to do", _lab.Run("migrate", "--to", "qcow2", "src", "out").Expect(0).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void ADamagedOneIsRefusedAndTheOthersAreMigrated()
    {
        Add("good.ova", ("disk.raw", GuestContent.Make(1 << 20, 1)));
        Add("bad.ova", ("disk.raw", GuestContent.Make(1 << 20, 2)));
        byte[] bad = File.ReadAllBytes(_lab["src/bad.ova"]);
        File.WriteAllBytes(_lab["src/bad.ova"], bad[..^100_000]);
        CliRun run = _lab.Run("migrate", "--to", "raw", "src", "out");
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains("truncated", run.Output + run.Error, StringComparison.Ordinal);
        Assert.Contains("good.ova/disk.raw", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void ItIsListed()
    {
        Add("web.ova", ("disk1.vmdk", new byte[1024]), ("disk2.vmdk", new byte[512]));
        Assert.Equal("""
            appliance: src/web.ova
            name: web01
            disks: 2
              1  disk1.vmdk  (1,024 bytes, disk of 1,048,576 bytes)
              2  disk2.vmdk  (512 bytes, disk of 2,097,152 bytes)

            """.ReplaceLineEndings("\n"), _lab.Run("ova", "src/web.ova").Expect(0).Output.ReplaceLineEndings("\n"));
        JsonNode disk = _lab.Run("ova", "--json", "src/web.ova").Expect(0).Json["disks"]![1]!;
        Assert.Equal(("disk2.vmdk", 512), ((string?)disk["file"], (int)disk["length"]!));
    }

    [Fact]
    public void ItIsVerified()
    {
        Add("web.ova", ("disk1.vmdk", new byte[1024]));
        Assert.Contains("disk1.vmdk: ok (SHA256)", _lab.Run("ova", "--verify", "src/web.ova").Expect(0).Output, StringComparison.Ordinal);
        byte[] content = File.ReadAllBytes(_lab["src/web.ova"]);
        int disk = content.AsSpan().LastIndexOf("disk1.vmdk\0"u8);
        content[disk + 512 + 3] ^= 1;
        File.WriteAllBytes(_lab["src/web.ova"], content);
        CliRun run = _lab.Run("ova", "--verify", "src/web.ova");
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains("disk1.vmdk: DIFFERS from its digest (SHA256)", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void ItIsReadOverTheWeb()
    {
        byte[] ova = OvaBuilder.Ova(("disk1.raw", GuestContent.Make(100_000, 1)));
        using HttpTestServer server = new(query => HttpReply.File(query, ova));
        Assert.Contains("1  disk1.raw", _lab.Run("ova", server.Address + "/web.ova").Expect(0).Output, StringComparison.Ordinal);
        File.WriteAllBytes(_lab["disk1.raw"], GuestContent.Make(100_000, 1));
        string[] digests = _lab.Run("digest", $"ova:{server.Address}/web.ova#1", "disk1.raw").Expect(0).Output.Split('\n');
        Assert.Equal(digests[0].Split(' ')[0], digests[1].Split(' ')[0]);
    }

    [Fact]
    public void ImagesOnAWebServerAreMigratedAndNotMigratedAgain()
    {
        byte[] disk = GuestContent.Make(3 << 20, 1);
        byte[] ova = OvaBuilder.Ova(("disk1.raw", disk));
        string tag = "\"one\"";
        using HttpTestServer server = new(query => HttpReply.File(query, query.Path == "/vms/a.raw" ? disk : ova, tag));
        string[] command = ["migrate", "--to", "raw", $"{server.Address}/vms/a.raw", $"{server.Address}/web.ova", "out"];
        _lab.Run(command).Expect(0);
        Assert.Equal(["a.raw", "web.ova/disk1.raw"], _lab.Targets());
        Assert.Equal(disk, File.ReadAllBytes(_lab["out/a.raw"]));
        Assert.Equal(disk, File.ReadAllBytes(_lab["out/web.ova/disk1.raw"]));
        CliRun again = _lab.Run(command).Expect(0);
        Assert.Contains("Nothing to do", again.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("has changed", again.Output, StringComparison.Ordinal);
        tag = "\"two\"";
        Assert.Contains("its source has changed since", _lab.Run(command).Expect(0).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void AWebServerIsNoPlaceForTargets()
    {
        _lab.AddRaw("a.raw", 1, 512);
        Assert.Contains("Targets go to a directory", _lab.Run("migrate", "--to", "raw", "src", "https://example.org/x").Expect(2).Error, StringComparison.Ordinal);
    }

    private void Add(string name, params (string Name, byte[] Content)[] disks) => File.WriteAllBytes(_lab[$"src/{name}"], OvaBuilder.Ova(disks));
}
