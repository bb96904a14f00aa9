using System.Text.Json.Nodes;
using ImageCluster.Cli.Tests.Support;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Cli.Tests.EndToEnd;

/// <summary>What is shown before anything happens, and what is refused.</summary>
public sealed class PlanTests : IDisposable
{
    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void APlanShowsSizesAndWritesNothing()
    {
        _lab.AddRaw("a.raw", 1, 2 << 20);
        CliRun plan = _lab.Run("migrate", "--plan", "--to", "vmdk", "src", "out").Expect(0);
        Assert.Contains("a.vmdk", plan.Output, StringComparison.Ordinal);
        Assert.Contains("1 image to convert: 2.00 MiB virtual", plan.Output, StringComparison.Ordinal);
        Assert.Contains("Free on", plan.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_lab["out"]));

        JsonNode document = _lab.Run("migrate", "--plan", "--to", "vmdk", "src", "out", "--output", "json").Expect(0).Json;
        Assert.True((bool)document["canStart"]!);
        Assert.Equal(2 << 20, (long)document["images"]![0]!["virtualSize"]!);
        Assert.Equal("convert", (string?)document["images"]![0]!["action"]);
        Assert.True((long)document["totals"]!["freeBytes"]! > 0);
    }

    [Fact]
    public void TwoSourcesOntoOneTargetAreRefused()
    {
        _lab.AddRaw("x/a.raw", 1, 1 << 20);
        _lab.AddRaw("y/a.raw", 2, 1 << 20);
        CliRun run = _lab.Run("migrate", "--to", "vmdk", "--name", "{name}.{format}", "src", "out").Expect(ExitCode.Refused);
        Assert.Contains("have the same target", run.Error, StringComparison.Ordinal);
        Assert.Contains("x/a.raw", run.Error, StringComparison.Ordinal);
        Assert.Contains("y/a.raw", run.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_lab["out"]));
    }

    [Fact]
    public void ATargetThatIsItsSourceIsRefused()
    {
        string source = _lab.AddRaw("a.raw", 1, 1 << 20);
        byte[] before = File.ReadAllBytes(source);
        foreach (string existing in new[] { "fail", "replace", "skip" })
        {
            CliRun run = _lab.Run("migrate", "--to", "raw", "--existing", existing, "src", "src").Expect(ExitCode.Refused);
            Assert.Contains("is a file that this image is read from", run.Error, StringComparison.Ordinal);
        }

        File.CreateSymbolicLink(_lab["alias"], _lab["src"]);
        _lab.Run("migrate", "--to", "raw", "--existing", "replace", "src", "alias").Expect(ExitCode.Refused);
        Assert.Equal(before, File.ReadAllBytes(source));
        Assert.False(Directory.Exists(_lab["src/.imagecluster"]));
    }

    [Fact]
    public void ATargetThatIsThereIsLeftSkippedOrReplaced()
    {
        _lab.AddRaw("a.raw", 1, 1 << 20);
        _lab.AddRaw("b.raw", 2, 1 << 20);
        Directory.CreateDirectory(_lab["out"]);
        File.WriteAllText(_lab["out/a.raw"], "somebody's");

        CliRun fails = _lab.Run("migrate", "--to", "raw", "src", "out").Expect(ExitCode.Refused);
        Assert.Contains("a.raw is there already", fails.Error, StringComparison.Ordinal);
        Assert.Equal(["a.raw"], _lab.Targets());

        CliRun skips = _lab.Run("migrate", "--to", "raw", "--existing", "skip", "src", "out").Expect(0);
        Assert.Contains("1 of 2 images done (1 verified), 1 skipped", skips.Output, StringComparison.Ordinal);
        Assert.Equal("somebody's", File.ReadAllText(_lab["out/a.raw"]));

        _lab.Run("migrate", "--to", "raw", "--existing", "replace", "src", "out").Expect(0);
        Assert.Equal(File.ReadAllBytes(_lab["src/a.raw"]), File.ReadAllBytes(_lab["out/a.raw"]));
        Assert.Equal(["a.raw", "b.raw"], _lab.Targets());
    }

    [SkippableFact]
    public void WhatDoesNotFitIsRefusedBeforeAByteIsWritten()
    {
        using SmallDisk disk = SmallDisk.Mount(_lab["small"], 2);
        _lab.AddRaw("a.raw", 1, 8 << 20);
        File.WriteAllBytes(_lab["src/full.raw"], Enumerable.Repeat((byte)0x55, 4 << 20).ToArray());
        CliRun plan = _lab.Run("migrate", "--plan", "--to", "raw", "src", "small/out").Expect(ExitCode.Refused);
        Assert.Contains("Refused: the targets need up to", plan.Output, StringComparison.Ordinal);
        CliRun run = _lab.Run("migrate", "--to", "raw", "src", "small/out").Expect(ExitCode.Refused);
        Assert.Contains("free", run.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_lab["small"]));
    }

    [Fact]
    public void NothingToMigrateIsSaid()
    {
        CliRun run = _lab.Run("migrate", "--to", "raw", "src", "out").Expect(ExitCode.Refused);
        Assert.Contains("no image matches", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ATargetRootThatIsNotMountedIsNotFilled()
    {
        _lab.AddRaw("a.raw", 1, 1 << 20);
        File.WriteAllText(_lab["m.yaml"], """
            version: 1
            name: lab
            sources: [ { root: ./src, include: "*.raw" } ]
            target: { root: ./mnt, format: raw }
            """);
        CliRun run = _lab.Run("migrate", "m.yaml").Expect(ExitCode.Refused);
        Assert.Contains("is not there", run.Error, StringComparison.Ordinal);
    }
}
