using ImageCluster.Cli.Tests.Support;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Cli.Tests.EndToEnd;

/// <summary>What goes wrong is said in one line, fails only what it must, and loses nothing.</summary>
public sealed class FailureTests : IDisposable
{
    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableFact]
    public void ADiskInUseIsRefusedAndTheOthersAreDone()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", _lab["src/running.qcow2"], "1M");
        _lab.AddRaw("a.raw", 1, 1 << 20);
        using (QemuHolder.Io(_lab["src/running.qcow2"], "qcow2"))
        {
            CliRun run = _lab.Run("migrate", "--to", "raw", "src", "out").Expect(ExitCode.SomeFailed);
            Assert.Contains("running.qcow2: Failed to get shared \"write\" lock", run.Output, StringComparison.Ordinal);
            Assert.Contains("Is another process using the image", run.Output, StringComparison.Ordinal);
            Assert.Equal(["a.raw"], _lab.Targets());
        }

        _lab.Run("migrate", "--to", "raw", "src", "out").Expect(0);
        Assert.Equal(["a.raw", "running.raw"], _lab.Targets());
    }

    [SkippableFact]
    public void WhileASourceIsReadNobodyElseMayWriteIt()
    {
        QemuTools.Require();
        string source = _lab.AddRaw("a.raw", 1, 2 << 20);
        using CliProcess process = _lab.Start("migrate", "--to", "vmdk", "src", "out", "--rate", "256KiB/s", "--output", "plain");
        Until(() => process.Output.Contains("converting", StringComparison.Ordinal));
        ToolResult writer = QemuTools.TryImg("resize", "-f", "raw", source, "+1M");
        Assert.NotEqual(0, writer.ExitCode);
        Assert.Contains("lock", writer.Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void ADiskThatCannotBeCutIntoShardsFailsAndTheOthersAreDone()
    {
        QemuTools.Require();
        // A few MiB that say 2 EiB, into a file system that takes a file of such a size.
        string place = $"/dev/shm/imagecluster-{Guid.NewGuid():N}";
        Skip.IfNot(Directory.Exists("/dev/shm"), "/dev/shm is not there");
        Directory.CreateDirectory(place);
        try
        {
            QemuTools.Img("create", "-q", "-f", "qcow2", "-o", "cluster_size=2M", _lab["src/huge.qcow2"], "2E");
            _lab.AddRaw("a.raw", 1, 1 << 20);
            CliRun run = _lab.Run("migrate", "--to", "raw", "src", place).Expect(ExitCode.SomeFailed);
            Assert.Contains("a step has 1 to 16,777,216 shards", run.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("internal error", run.Output, StringComparison.Ordinal);
            Assert.Equal(["a.raw"], Directory.GetFiles(place).Select(Path.GetFileName));
        }
        finally
        {
            Directory.Delete(place, recursive: true);
        }
    }

    [Fact]
    public async Task ASourceThatChangesWhileItIsReadFailsAndLeavesNoTarget()
    {
        string source = _lab.AddRaw("a.raw", 1, 3 << 20);
        _lab.AddRaw("b.raw", 2, 1 << 20);
        Task<CliRun> running = Task.Run(() => _lab.Run("migrate", "--to", "vmdk", "src", "out", "--rate", "3MiB/s"));
        Until(() => Directory.Exists(_lab["out"]) && Directory.GetDirectories(_lab["out"], ".a.vmdk.*").Length > 0);
        using (Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(source, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            RandomAccess.Write(file, [1, 2, 3], 2 << 20);
        }

        CliRun run = (await running).Expect(ExitCode.SomeFailed);
        Assert.Contains("a.raw changed while it was read", run.Output, StringComparison.Ordinal);
        Assert.Equal(["b.vmdk"], _lab.Targets());

        _lab.Run("migrate", "--to", "vmdk", "src", "out").Expect(0);
        Assert.Equal(["a.vmdk", "b.vmdk"], _lab.Targets());
    }

    [Fact]
    public void ASourceThatChangedBetweenTwoRunsIsConvertedFromTheStart()
    {
        string source = _lab.AddSparse("a.raw", 1, shards: 3, bytesInEach: 1 << 20);
        using (CancellationTokenSource stop = new(TimeSpan.FromMilliseconds(1500)))
        {
            CliRun.Of(_lab.Path, stop.Token, "migrate", "--to", "raw", "src", "out", "--rate", "1MiB/s").Expect(ExitCode.Interrupted);
        }

        using (Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(source, FileMode.Open, FileAccess.Write))
        {
            RandomAccess.Write(file, new byte[1 << 20], 0);
        }

        CliRun run = _lab.Run("migrate", "--to", "raw", "src", "out").Expect(0);
        Assert.Contains("the source has changed since the last run; converting it from the start", run.Output, StringComparison.Ordinal);
        Assert.Equal(_lab.Run("digest", source).Output.Split(' ')[0], _lab.Run("digest", _lab["out/a.raw"]).Output.Split(' ')[0]);
    }

    [SkippableFact]
    public async Task AFullDiskFailsTheImageAndTheNextRunGoesOn()
    {
        using SmallDisk disk = SmallDisk.Mount(_lab["small"], 8);
        File.WriteAllBytes(_lab["src/a.raw"], Enumerable.Repeat((byte)0x55, 5 << 20).ToArray());
        Task<CliRun> running = Task.Run(() => _lab.Run("migrate", "--to", "raw", "src", "small/out", "--rate", "3MiB/s"));
        Until(() => Directory.Exists(_lab["small/out"]) && Directory.GetDirectories(_lab["small/out"], ".a.raw.*").Length > 0);
        File.WriteAllBytes(_lab["small/filler"], new byte[5 << 20]);
        CliRun run = (await running).Expect(ExitCode.SomeFailed);
        // The journal lies on the same disk, so it may be what is refused first.
        Assert.Contains("no space left", run.Output + run.Error, StringComparison.OrdinalIgnoreCase);
        Assert.False(File.Exists(_lab["small/out/a.raw"]));

        File.Delete(_lab["small/filler"]);
        _lab.Run("migrate", "--to", "raw", "src", "small/out").Expect(0);
        Assert.Equal(File.ReadAllBytes(_lab["src/a.raw"]), File.ReadAllBytes(_lab["small/out/a.raw"]));
    }

    [SkippableFact]
    public void BadImagesFailEachWithItsLineAndInBoundedTime()
    {
        QemuTools.Require();
        byte[] good = Qcow2Of(_lab["good.qcow2"]);
        void Bad(string name, int offset, params byte[] patch)
        {
            byte[] bytes = [.. good];
            patch.CopyTo(bytes, offset);
            File.WriteAllBytes(_lab[$"src/{name}.qcow2"], bytes);
        }

        Bad("huge-disk", 24, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0);
        Bad("huge-l1", 36, 0xFF, 0xFF, 0xFF, 0xF0);
        Bad("huge-cluster", 20, 0, 0, 0, 31);
        Bad("l1-past-end", 40, 0, 0, 0x7F, 0, 0, 0, 0, 0);
        Bad("unknown-feature", 72, 0x80, 0, 0, 0, 0, 0, 0, 0);
        File.WriteAllBytes(_lab["src/truncated.qcow2"], good[..1000]);
        File.WriteAllBytes(_lab["src/cut-off.qcow2"], good[..(good.Length / 2)]);
        File.WriteAllBytes(_lab["src/zz-good.qcow2"], good);
        Directory.CreateDirectory(_lab["src/directory.qcow2"]);

        CliRun run = _lab.Run("migrate", "--to", "raw", "--from", "qcow2", "src", "out", "--output", "json").Expect(ExitCode.SomeFailed);
        Assert.Equal(["zz-good.raw"], _lab.Targets());
        foreach (var image in run.Json["images"]!.AsArray().Where(image => (string?)image!["outcome"] == "failed"))
        {
            string reason = (string)image!["reason"]!;
            Assert.DoesNotContain("internal error", reason, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', reason);
            Assert.NotEmpty(reason);
        }

        Assert.Equal(7, (int)run.Json["totals"]!["failed"]!);
        QemuTools.Img("compare", _lab["good.qcow2"], _lab["out/zz-good.raw"]);
    }

    [SkippableFact]
    public void AChainMayNotLoopNorLeaveItsRoots()
    {
        QemuTools.Require();
        File.WriteAllBytes(_lab["secret.raw"], new byte[1 << 20]);
        void Overlay(string name, string backing) =>
            QemuTools.Img("create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", "raw", _lab[$"src/{name}.qcow2"], "1M");

        Overlay("dotdot", "../secret.raw");
        Overlay("absolute", _lab["secret.raw"]);
        File.CreateSymbolicLink(_lab["src/link.raw"], _lab["secret.raw"]);
        Overlay("through-link", "link.raw");
        QemuTools.Img("create", "-q", "-u", "-f", "qcow2", "-b", "loop.qcow2", "-F", "qcow2", _lab["src/loop.qcow2"], "1M");
        QemuTools.Img("create", "-q", "-u", "-f", "qcow2", "-b", "missing.raw", "-F", "raw", _lab["src/orphan.qcow2"], "1M");

        CliRun run = _lab.Run("migrate", "--to", "raw", "--include", "*.qcow2", "src", "out", "--output", "json").Expect(ExitCode.SomeFailed);
        Dictionary<string, string> reasons = run.Json["images"]!.AsArray().ToDictionary(
            image => Path.GetFileNameWithoutExtension((string)image!["sourceFile"]!), image => (string)image!["reason"]!);
        foreach (string name in new[] { "dotdot", "absolute", "through-link" })
        {
            Assert.Contains("lies outside the allowed root", reasons[name], StringComparison.Ordinal);
        }

        Assert.Contains("creates an infinite loop", reasons["loop"], StringComparison.Ordinal);
        Assert.Contains("No such file or directory", reasons["orphan"], StringComparison.Ordinal);
        Assert.Empty(_lab.Targets());

        CliRun allowed = _lab.Run("migrate", "--to", "raw", "--include", "{dotdot,absolute,through-link}.qcow2", "--allow-root", ".", "src", "out2");
        allowed.Expect(0);
    }

    [SkippableFact]
    public void ABackingFormatThatIsNotStatedIsNotGuessedUnlessAsked()
    {
        QemuTools.Require();
        _lab.AddRaw("base.img", 1, 1 << 20);
        QemuTools.Img("create", "-q", "-u", "-f", "qcow2", "-b", "base.img", "-F", "raw", _lab["src/top.qcow2"], "1M");
        byte[] bytes = File.ReadAllBytes(_lab["src/top.qcow2"]);
        // The header extension with the format becomes one that nobody knows.
        bytes[bytes.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xE2, 0x79, 0x2A, 0xCA])] = 0x12;
        File.WriteAllBytes(_lab["src/top.qcow2"], bytes);
        CliRun run = _lab.Run("migrate", "--to", "raw", "src/top.qcow2", "out").Expect(ExitCode.SomeFailed);
        Assert.Contains("has no stated format", run.Output, StringComparison.Ordinal);
        _lab.Run("migrate", "--to", "raw", "--probe-backing", "src/top.qcow2", "out").Expect(0);
    }

    [SkippableFact]
    public void WhatStandsOnAnImageThatFailsFailsWithIt()
    {
        QemuTools.Require();
        string raw = _lab.AddRaw("base.raw", 3, 2 << 20);
        QemuTools.Img("convert", "-c", "-O", "qcow2", raw, _lab["src/base.qcow2"]);
        File.Delete(raw);
        QemuTools.Img("create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", _lab["src/top.qcow2"]);
        // A compressed cluster that does not inflate: opening and planning succeed, reading does not.
        byte[] bytes = File.ReadAllBytes(_lab["src/base.qcow2"]);
        bytes.AsSpan(0x50000, 2000).Fill(0xFF);
        File.WriteAllBytes(_lab["src/base.qcow2"], bytes);
        CliRun run = _lab.Run("migrate", "--to", "qcow2", "--backing", "keep", "src", "out", "--output", "json").Expect(ExitCode.SomeFailed);
        Assert.Equal(2, (int)run.Json["totals"]!["failed"]!);
        Assert.Empty(_lab.Targets());
        Assert.All(run.Json["images"]!.AsArray(), image => Assert.DoesNotContain("internal error", (string)image!["reason"]!, StringComparison.Ordinal));
        Assert.Contains(run.Json["images"]!.AsArray(), image => ((string)image!["reason"]!).Contains("was not converted", StringComparison.Ordinal));
    }

    [Fact]
    public void AnUnknownKeyInAManifestIsNamedWithItsLine()
    {
        File.WriteAllText(_lab["m.yaml"], """
            version: 1
            name: lab
            sources: [ { root: ./src, include: "*.raw" } ]
            target: { root: ./out, formt: raw }
            """);
        CliRun run = _lab.Run("migrate", "m.yaml").Expect(ExitCode.Usage);
        Assert.Contains("m.yaml:4:", run.Error, StringComparison.Ordinal);
        Assert.Contains("unknown key 'formt'", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("unknown command or argument 'nonsense'", "nonsense")]
    [InlineData("unknown option '--nonsense'", "migrate", "--nonsense", "m.yaml")]
    [InlineData("there is no such manifest", "migrate", "missing.yaml")]
    [InlineData("there is no such file or directory", "migrate", "--to", "raw", "missing.raw", "out")]
    [InlineData("unknown format 'qcow3'; did you mean 'qcow2'?", "migrate", "--to", "qcow3", "src", "out")]
    [InlineData("has no option 'cluster_sise'", "migrate", "--to", "qcow2", "-o", "cluster_sise=4k", "src", "out")]
    [InlineData("--rate 'fast' is not a rate", "migrate", "--to", "raw", "--rate", "fast", "src", "out")]
    [InlineData("--threads 0 is not between", "migrate", "--to", "raw", "--threads", "0", "src", "out")]
    [InlineData("--existing 'ask' is not known", "migrate", "--to", "raw", "--existing", "ask", "src", "out")]
    [InlineData("--output 'xml' is not known", "migrate", "--to", "raw", "--output", "xml", "src", "out")]
    [InlineData("a directory, not a manifest", "migrate", "src")]
    [InlineData("directory for the targets", "migrate", "--to", "raw", "src")]
    public void AWrongCommandLineIsOneLine(string expected, params string[] arguments)
    {
        CliRun run = _lab.Run(arguments).Expect(ExitCode.Usage);
        string line = Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("imagecluster: ", line, StringComparison.Ordinal);
        Assert.Contains(expected, line, StringComparison.Ordinal);
    }

    [Fact]
    public void AJournalOfOtherTargetsIsRefusedUntilItIsThrownAway()
    {
        _lab.AddRaw("a.raw", 1, 1 << 20);
        Directory.CreateDirectory(_lab["out"]);
        string Manifest(string format) => $$"""
            version: 1
            name: lab
            sources: [ { root: ./src, include: "*.raw" } ]
            target: { root: ./out, format: {{format}} }
            """;
        File.WriteAllText(_lab["m.yaml"], Manifest("raw"));
        _lab.Run("migrate", "m.yaml").Expect(0);
        File.WriteAllText(_lab["m.yaml"], Manifest("vmdk"));
        CliRun refused = _lab.Run("migrate", "m.yaml").Expect(ExitCode.Refused);
        Assert.Contains("the journal of another migration named 'lab'", refused.Error, StringComparison.Ordinal);
        _lab.Run("migrate", "--restart", "m.yaml").Expect(0);
        Assert.Equal(["a.raw", "a.vmdk"], _lab.Targets());
    }

    [Fact]
    public async Task TwoRunsOfOneMigrationExcludeEachOther()
    {
        _lab.AddRaw("a.raw", 1, 2 << 20);
        string[] command = ["migrate", "--to", "raw", "src", "out"];
        using CancellationTokenSource stop = new();
        Task<CliRun> first = Task.Run(() => CliRun.Of(_lab.Path, stop.Token, [.. command, "--rate", "200KiB/s"]));
        Until(() => Directory.Exists(_lab["out"]) && Directory.GetDirectories(_lab["out"], ".a.raw.*").Length > 0);
        CliRun second = _lab.Run(command).Expect(ExitCode.Refused);
        Assert.Contains($"is running already: process {Environment.ProcessId}", second.Error, StringComparison.Ordinal);
        _lab.Run([.. command, "--restart"]).Expect(ExitCode.Refused);
        await stop.CancelAsync();
        (await first).Expect(ExitCode.Interrupted);
        _lab.Run(command).Expect(0);
    }

    private static byte[] Qcow2Of(string path)
    {
        QemuTools.Img("create", "-q", "-f", "qcow2", path, "4M");
        QemuTools.Io(path, "qcow2", "write -P 1 0 1M", "write -P 2 3M 512k");
        return File.ReadAllBytes(path);
    }

    private static void Until(Func<bool> condition)
    {
        DateTime deadline = DateTime.UtcNow + TimeSpan.FromSeconds(20);
        SpinWait wait = default;
        while (!condition())
        {
            Assert.True(DateTime.UtcNow < deadline, "what was waited for does not come");
            wait.SpinOnce();
        }
    }
}
