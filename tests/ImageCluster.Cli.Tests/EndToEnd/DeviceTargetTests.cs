using ImageCluster.Cli.Tests.Support;
using ImageCluster.Testing.Nbd;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Cli.Tests.EndToEnd;

/// <summary>Targets that are there already and keep their size: exports of NBD servers and block devices. They are overwritten only when asked for.</summary>
public sealed class DeviceTargetTests : IDisposable
{
    private readonly Lab _lab = new();

    public DeviceTargetTests() => Directory.CreateDirectory(_lab["exports"]);

    public void Dispose() => _lab.Dispose();

    [SkippableTheory]
    [InlineData("compare")]
    [InlineData("digest")]
    public void DisksAreWrittenToExportsThatMayBeLarger(string verify)
    {
        QemuTools.Require();
        string raw = _lab.AddRaw("disk.raw", 1, (5 << 20) + 512);
        byte[] old = GuestContent.Make(7 << 20, 9);
        File.WriteAllBytes(_lab["exports/disk.raw"], old);
        using NbdServer server = NbdServer.Kit("file", "dir=" + _lab["exports"]);
        Manifest(server.Url, "raw", "replace", verify);
        CliRun run = _lab.Run("migrate", "m.yaml", "--output", "json").Expect(0);
        byte[] written = File.ReadAllBytes(_lab["exports/disk.raw"]);
        byte[] disk = File.ReadAllBytes(raw);
        Assert.Equal(old.Length, written.Length);
        Assert.True(disk.AsSpan().SequenceEqual(written.AsSpan(0, disk.Length)));
        Assert.True(old.AsSpan(disk.Length).SequenceEqual(written.AsSpan(disk.Length)), "what lies behind the disk is not its");
        Assert.Equal(disk.Length, (long)run.Json["images"]![0]!["virtualSize"]!);

        Assert.Contains("done in an earlier run", _lab.Run("migrate", "m.yaml").Expect(0).Output, StringComparison.Ordinal);
        string report = Assert.Single(Directory.GetFiles(_lab[".imagecluster"], "*.report.json"));
        _lab.Run("digest", "--check", report).Expect(0);
        server.Kill();
        File.WriteAllBytes(_lab["exports/disk.raw"], old);
        server.Start();
        Assert.Contains("CHANGED", _lab.Run("digest", "--check", report).Expect(1).Output, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void ImagesWithMetadataAreWrittenToExportsOfQemuNbd()
    {
        QemuTools.Require();
        string raw = _lab.AddRaw("disk.raw", 1, 3 << 20);
        File.WriteAllBytes(_lab["export.img"], GuestContent.Make(8 << 20, 4));
        using NbdServer server = NbdServer.Qemu(_lab["export.img"], "raw", "-x", "disk.raw");
        Manifest(server.Url, "qcow2", "replace");
        _lab.Run("migrate", "m.yaml").Expect(0);
        server.Kill();
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", raw, _lab["export.img"]);
        QemuTools.Img("check", "-f", "qcow2", _lab["export.img"]);
    }

    [SkippableFact]
    public void AnExportIsNotOverwrittenUnlessItIsToBe()
    {
        _lab.AddRaw("disk.raw", 1, 1 << 20);
        File.WriteAllBytes(_lab["exports/disk.raw"], GuestContent.Make(1 << 20, 9));
        using NbdServer server = NbdServer.Kit("file", "dir=" + _lab["exports"]);
        Manifest(server.Url, "raw", "fail");
        CliRun run = _lab.Run("migrate", "m.yaml");
        Assert.Equal(4, run.ExitCode);
        Assert.Contains("is there already", run.Error, StringComparison.Ordinal);
        Assert.Equal(GuestContent.Make(1 << 20, 9), File.ReadAllBytes(_lab["exports/disk.raw"]));
    }

    [SkippableFact]
    public void WhatDoesNotFitOrIsNotThereIsRefusedBeforeAByteIsWritten()
    {
        _lab.AddRaw("disk.raw", 1, (1 << 20) + 512);
        _lab.AddRaw("missing.raw", 1, 1 << 20);
        byte[] old = GuestContent.Make(1 << 20, 9);
        File.WriteAllBytes(_lab["exports/disk.raw"], old);
        using NbdServer server = NbdServer.Kit("file", "dir=" + _lab["exports"]);
        Manifest(server.Url, "raw", "replace");
        CliRun run = _lab.Run("migrate", "m.yaml");
        Assert.Equal(4, run.ExitCode);
        Assert.Contains("has 1,048,576 bytes and needs 1,049,088", run.Error, StringComparison.Ordinal);
        Assert.Contains("cannot be written", run.Error, StringComparison.Ordinal);
        Assert.Equal(old, File.ReadAllBytes(_lab["exports/disk.raw"]));
    }

    [SkippableFact]
    public void AKilledMigrationToAnExportGoesOn()
    {
        QemuTools.Require();
        string raw = _lab.AddSparse("disk.raw", seed: 1, shards: 3, bytesInEach: 4 << 20);
        using (Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(_lab["exports/disk.raw"], FileMode.Create, FileAccess.Write))
        {
            RandomAccess.SetLength(file, new FileInfo(raw).Length);
        }

        using NbdServer server = NbdServer.Kit("file", "dir=" + _lab["exports"]);
        Manifest(server.Url, "raw", "replace");
        int kills = 0;
        for (int wait = 600; wait < 3000 && kills < 3; wait += 400)
        {
            using CliProcess process = _lab.Start("migrate", "m.yaml", "--output", "plain", "--rate", "4MiB/s");
            if (process.Wait(TimeSpan.FromMilliseconds(wait)))
            {
                break;
            }

            process.Kill();
            kills++;
        }

        _lab.Run("migrate", "m.yaml").Expect(0);
        QemuTools.Img("compare", "-f", "raw", "-F", "raw", raw, _lab["exports/disk.raw"]);
    }

    [SkippableFact]
    public void AServerThatForgetsWhatItIsGivenIsFoundOut()
    {
        _lab.AddRaw("disk.raw", 1, 1 << 20);
        using NbdServer server = NbdServer.Kit("null", "size=1M");
        Manifest(server.Url, "raw", "replace");
        Assert.Contains("verification failed: the target differs from its source", _lab.Run("migrate", "m.yaml").Expect(1).Output, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    public void DisksAreWrittenToBlockDevices(string format)
    {
        QemuTools.Require();
        string raw = _lab.AddRaw("disk.raw", 1, (3 << 20) + 512);
        using LoopDevice device = LoopDevice.Make(_lab["device.img"], 8 << 20);
        string[] command = ["migrate", "--to", format, "--name", Path.GetFileName(device.Path), "--output", "plain", "src", "/dev"];
        Assert.Contains("is there already", _lab.Run(command).Expect(4).Error, StringComparison.Ordinal);
        _lab.Run([.. command, "--existing", "replace"]).Expect(0);
        string end = $"driver={format},file.driver=host_device,file.filename={device.Path}";
        QemuTools.Img("compare", "--image-opts", $"driver=raw,file.filename={raw}", format == "raw" ? $"driver=raw,size={(3 << 20) + 512},file.driver=host_device,file.filename={device.Path}" : end);
        Assert.True(Directory.Exists(_lab[".imagecluster"]), "the journal is not in /dev");
        Assert.False(Directory.Exists("/dev/.imagecluster"));
        Assert.Contains("done in an earlier run", _lab.Run([.. command, "--existing", "replace"]).Expect(0).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void NoFilesAreMadeAmongDevices()
    {
        _lab.AddRaw("disk.raw", 1, 1 << 20);
        CliRun run = _lab.Run("migrate", "--to", "raw", "src", "/dev").Expect(4);
        Assert.Contains("There is no block device of that name", run.Error, StringComparison.Ordinal);
        Assert.False(File.Exists("/dev/disk.raw"));
    }

    private void Manifest(string url, string format, string existing, string verify = "compare") => File.WriteAllText(_lab["m.yaml"], $$"""
        version: 1
        name: test
        roots: { store: "{{url}}" }
        sources: [{ root: ./src, include: "**" }]
        target: { root: store, format: {{format}}, name: "{file}", existing: {{existing}} }
        verify: {{verify}}
        """);
}
