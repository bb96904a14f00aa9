using ImageCluster.Cli.Tests.Support;
using ImageCluster.Testing.Http;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Cli.Tests.EndToEnd;

/// <summary>Targets that are objects of a store: whole or not there, never in the place of another unless asked for.</summary>
public sealed class StoreTargetTests : IDisposable
{
    private readonly Lab _lab = new();
    private readonly StoreEnvironment _environment;

    public StoreTargetTests()
    {
        Directory.CreateDirectory(_lab["staging"]);
        _environment = new StoreEnvironment(_lab["staging"]);
    }

    private S3TestServer Store => _environment.Store;

    public void Dispose()
    {
        _environment.Dispose();
        _lab.Dispose();
    }

    [SkippableTheory]
    [InlineData("raw", "compare")]
    [InlineData("raw", "digest")]
    [InlineData("qcow2", "compare")]
    [InlineData("vmdk", "digest")]
    [InlineData("vhdx", "none")]
    public void ImagesBecomeObjectsAndAreNotMadeAgain(string format, string verify)
    {
        QemuTools.Require();
        string small = _lab.AddRaw("small.raw", 1, 1 << 20);
        string large = _lab.AddRaw("dir/large.raw", 2, (21 << 20) + 512);
        CliRun run = _lab.Run("migrate", "--to", format, "--verify", verify, "--output", "json", "src", "s3://bucket/disks").Expect(0);
        Assert.Equal(2, (int)run.Json["totals"]!["done"]!);
        Assert.Equal($"s3://bucket/disks/dir/large.{format}", (string)run.Json["images"]![0]!["targetFile"]!);
        AssertObject($"bucket/disks/small.{format}", small, format);
        AssertObject($"bucket/disks/dir/large.{format}", large, format);
        AssertNothingLeft();

        int requests = Store.Server.Queries.Count(query => query.Method is "PUT" or "POST");
        CliRun again = _lab.Run("migrate", "--to", format, "--verify", verify, "src", "s3://bucket/disks").Expect(0);
        Assert.Contains("done in an earlier run", again.Output, StringComparison.Ordinal);
        Assert.Equal(requests, Store.Server.Queries.Count(query => query.Method is "PUT" or "POST"));

        string report = Assert.Single(Directory.GetFiles(_lab[".imagecluster"], "*.report.json"));
        _lab.Run("digest", "--check", report).Expect(0);
    }

    [SkippableFact]
    public void AnImageOfSeveralFilesBecomesSeveralObjects()
    {
        QemuTools.Require();
        string raw = _lab.AddRaw("a.raw", 1, 6 << 20);
        _lab.Run("migrate", "--to", "vmdk", "-o", "subformat=monolithicFlat", "src", "s3://bucket").Expect(0);
        File.WriteAllBytes(_lab["a.vmdk"], Store["bucket/a.vmdk"]!);
        File.WriteAllBytes(_lab["a-flat.vmdk"], Store["bucket/a-flat.vmdk"]!);
        QemuTools.Img("compare", raw, _lab["a.vmdk"]);
        AssertNothingLeft();
    }

    [Fact]
    public void AnObjectThatIsThereIsLeftUnlessItIsToBeReplaced()
    {
        _lab.AddRaw("a.raw", 1, 1 << 20);
        Store["bucket/a.qcow2"] = [1, 2, 3];
        CliRun run = _lab.Run("migrate", "--to", "qcow2", "src", "s3://bucket");
        Assert.Equal(4, run.ExitCode);
        Assert.Contains("s3://bucket:a.qcow2 is there already", run.Error, StringComparison.Ordinal);
        Assert.Contains("is there already", _lab.Run("migrate", "--to", "qcow2", "--existing", "skip", "src", "s3://bucket").Expect(0).Output, StringComparison.Ordinal);
        Assert.Equal([1, 2, 3], Store["bucket/a.qcow2"]);
        _lab.Run("migrate", "--to", "qcow2", "--existing", "replace", "src", "s3://bucket").Expect(0);
        Assert.True(Store["bucket/a.qcow2"]!.AsSpan().StartsWith("QFI"u8));
    }

    [Theory]
    [InlineData(1 << 20)]
    [InlineData(12 << 20)]
    public void AnObjectThatComesInBetweenIsNotReplaced(int length)
    {
        _lab.AddRaw("a.raw", 1, length);
        Store.Fault = query =>
        {
            if (query.Method == "PUT")
            {
                Store["bucket/a.raw"] = [7];
            }

            return null;
        };
        CliRun run = _lab.Run("migrate", "--to", "raw", "src", "s3://bucket");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("An object of the target's name is there", run.Output, StringComparison.Ordinal);
        Assert.Equal([7], Store["bucket/a.raw"]);
        Assert.Equal(0, Store.OpenUploads);
    }

    [Theory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    public void AFailedUploadLeavesNothing(string format)
    {
        _lab.AddRaw("a.raw", 1, 20 << 20);
        Store.Fault = query => query.QueryText.Contains("partNumber=2", StringComparison.Ordinal)
            ? HttpReply.Text(403, "<Error><Code>AccessDenied</Code><Message>no more</Message></Error>")
            : null;
        CliRun run = _lab.Run("migrate", "--to", format, "src", "s3://bucket");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("AccessDenied (no more)", run.Output, StringComparison.Ordinal);
        Assert.Null(Store[$"bucket/a.{format}"]);
        AssertNothingLeft();
        Store.Fault = static _ => null;
        _lab.Run("migrate", "--to", format, "src", "s3://bucket").Expect(0);
        Assert.NotNull(Store[$"bucket/a.{format}"]);
        AssertNothingLeft();
    }

    [Fact]
    public void AnObjectThatIsNotWhatWasSentIsFoundAndRemoved()
    {
        _lab.AddRaw("a.raw", 1, 1 << 20);
        bool spoiled = false;
        Store.LostAnswer = query =>
        {
            if (IsCompletion(query) && !spoiled)
            {
                spoiled = true;
                Store["bucket/a.raw"]![700_000] ^= 1;
            }

            return null;
        };
        CliRun run = _lab.Run("migrate", "--to", "raw", "src", "s3://bucket");
        Assert.True(run.ExitCode == 1, run.Output);
        Assert.Contains("verification failed: the target differs from its source at guest offset 699,904", run.Output, StringComparison.Ordinal);
        Assert.Null(Store["bucket/a.raw"]);
    }

    [SkippableFact]
    public void KilledAfterTheObjectIsThereAndBeforeThatIsNotedItGoesOn()
    {
        string raw = _lab.AddRaw("a.raw", 1, 6 << 20);
        using ManualResetEvent hold = new(false);
        using ManualResetEvent stored = new(false);
        Store.LostAnswer = query =>
        {
            if (!IsCompletion(query))
            {
                return null;
            }

            stored.Set();
            return new HttpReply(200) { HoldAll = hold };
        };
        string[] command = ["migrate", "--to", "raw", "--output", "plain", "src", "s3://bucket"];
        using (CliProcess process = _lab.Start(command))
        {
            Assert.True(stored.WaitOne(TimeSpan.FromSeconds(60)));
            process.Kill();
        }

        hold.Set();
        Store.LostAnswer = static _ => null;
        Assert.Equal(File.ReadAllBytes(raw), Store["bucket/a.raw"]);
        _lab.Run(command).Expect(0);
        Assert.Equal(File.ReadAllBytes(raw), Store["bucket/a.raw"]);
    }

    [Fact]
    public void WhatCannotBeIsRefusedBeforeAnything()
    {
        _lab.AddRaw("a.raw", 1, 1 << 20);
        Assert.Contains("nothing can be written there", _lab.Run("migrate", "--to", "raw", "src", "http://127.0.0.1:1/x").Expect(2).Error, StringComparison.Ordinal);
        CliRun keep = _lab.Run("migrate", "--to", "qcow2", "--backing", "keep", "src", "s3://bucket").Expect(2);
        Assert.Contains("needs a directory for the targets", keep.Error, StringComparison.Ordinal);
        Store.Fault = static _ => HttpReply.Text(403, "<Error><Code>InvalidAccessKeyId</Code><Message>who</Message></Error>");
        CliRun run = _lab.Run("migrate", "--to", "raw", "src", "s3://bucket");
        Assert.NotEqual(0, run.ExitCode);
        Assert.Empty(Directory.GetFileSystemEntries(_lab["staging"]));
    }

    // Raw images go up in parts, small ones too.
    private static bool IsCompletion(HttpQuery query) => query.Method == "POST" && query.QueryText.Contains("uploadId", StringComparison.Ordinal);

    private void AssertObject(string path, string raw, string format)
    {
        File.WriteAllBytes(_lab["fetched"], Store[path]!);
        QemuTools.Img("compare", "-f", "raw", "-F", format, raw, _lab["fetched"]);
    }

    private void AssertNothingLeft()
    {
        Assert.Equal(0, Store.OpenUploads);
        Assert.Empty(Directory.GetFileSystemEntries(_lab["staging"]));
    }
}
