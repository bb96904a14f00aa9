using System.Collections.Immutable;
using ImageCluster.Imaging.Operations;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Testing.Archives;
using ImageCluster.Testing.Qemu;
using ImageCluster.Work.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Work.Tests.Running;

/// <summary>Whole converts, by several workers at once, from looking at the source to the target's name.</summary>
public sealed class ConvertJobTests : IDisposable
{
    // Three shards of 512 MiB, the last cut short at a sector.
    private const long Size = (2L << 29) + (70 << 20) + 512;

    private readonly WorkLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void AVmdkOfNoBytesIsRefusedBeforeAnythingIsWritten()
    {
        _lab.AddRaw("in/a.raw", 0);
        JobDriver driver = _lab.Driver(WorkLab.ConvertTo("vmdk"));
        JobEnd end = driver.Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        Assert.Contains("vmdk image of none", end.Reason, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_lab["out/sub"]));
    }

    [Theory]
    [InlineData("s3://bucket/disks")]
    [InlineData("nbd://host")]
    [InlineData("/dev/vg0")]
    public void ATargetOnAServerAStoreOrADeviceIsRefusedBeforeAnythingIsWritten(string root)
    {
        _lab.AddRaw("in/a.raw", 1 << 20);
        JobEnd end = new JobDriver(WorkLab.ConvertTo("raw"), new Dictionary<string, string>(_lab.Roots) { ["out"] = root }).Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        Assert.Contains($"The targets' root 'out' is {root} on this node: a cluster writes targets to directories only", end.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', end.Reason);
    }

    [SkippableTheory]
    [InlineData("raw", "", 3)]
    [InlineData("qcow2", "", 3)]
    [InlineData("qcow2", "cluster_size=4k,compat=0.10", 18)]
    [InlineData("qcow2", "cluster_size=2M,lazy_refcounts=on", 1)]
    [InlineData("qcow", "", -1)]
    [InlineData("qed", "", -1)]
    [InlineData("vdi", "", 1)]
    [InlineData("vdi", "static=on", 3)]
    [InlineData("vmdk", "", 3)]
    [InlineData("vmdk", "subformat=monolithicFlat", 3)]
    [InlineData("vmdk", "subformat=twoGbMaxExtentSparse", -1)]
    [InlineData("vmdk", "subformat=twoGbMaxExtentFlat", 3)]
    [InlineData("vmdk", "subformat=streamOptimized", 1)]
    [InlineData("vpc", "force_size=on", -1)]
    [InlineData("vpc", "subformat=fixed,force_size=on", -1)]
    [InlineData("vpc", "", -1)]
    [InlineData("vhdx", "", -1)]
    [InlineData("vhdx", "subformat=fixed", -1)]
    [InlineData("parallels", "", -1)]
    public void EveryTargetEqualsItsSourceWhoeverFilledWhichShard(string format, string options, int shards)
    {
        QemuTools.Require();
        string source = _lab.AddRaw("in/a.raw", Size);
        JobDriver driver = _lab.Driver(Spec(format, options));
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Equal(1, driver.Results.Count(done => done.Stage == StageKind.Create));
        if (shards > 0)
        {
            Assert.Equal(shards, driver.Results.Count(done => done.Stage == StageKind.Copy));
        }

        string target = _lab["out/sub/b.img"];
        QemuTools.Img("compare", "-f", "raw", "-F", format, source, target);
        if (format is not ("raw" or "vpc" or "qcow"))
        {
            QemuTools.Img("check", "-f", format, target);
        }

        Assert.StartsWith("sha256t:", driver.Job.Digest, StringComparison.Ordinal);
        _lab.AssertClean();
    }

    [SkippableTheory]
    [InlineData(VerifyMode.None, true)]
    [InlineData(VerifyMode.None, false)]
    [InlineData(VerifyMode.Digest, true)]
    [InlineData(VerifyMode.Compare, true)]
    [InlineData(VerifyMode.Compare, false)]
    public void ItIsVerifiedAsAsked(VerifyMode verify, bool takesDigest)
    {
        QemuTools.Require();
        string source = _lab.AddRaw("in/a.raw", Size);
        JobDriver driver = _lab.Driver(Spec("qcow2", "") with { Verify = verify, TakesDigest = takesDigest, Compress = true });
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Equal(verify == VerifyMode.None ? 0 : 3, driver.Results.Count(done => done.Stage == StageKind.Verify));
        Assert.All(driver.Results.Where(done => done.Stage == StageKind.Copy), done => Assert.Equal(verify == VerifyMode.Compare || !takesDigest, done.Result.Digest.IsEmpty));
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", source, _lab["out/sub/b.img"]);
        Assert.Equal(takesDigest, driver.Job.Digest.Length > 0);
    }

    [Fact]
    public void WithoutADigestThereIsNothingToVerifyBy()
    {
        _lab.AddRaw("in/a.raw", Size);
        Assert.Equal("to verify by the digest it must be taken", (Spec("qcow2", "") with { Verify = VerifyMode.Digest, TakesDigest = false }).Problem);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ATargetThatSomebodyChangedIsFound(bool takesDigest)
    {
        _lab.AddRaw("in/a.raw", 1 << 20);
        var driver = new JobDriver(Spec("raw", "") with { Verify = VerifyMode.Compare, TakesDigest = takesDigest }, _lab.Roots)
        {
            Around = (runner, task, shard, scope) =>
            {
                if (task.Stage == StageKind.Verify)
                {
                    Spoil();
                }

                return runner.Run(task, shard, scope);
            },
        };
        Assert.Equal("the target differs from its source at offset 4096", driver.Run().Reason);

        void Spoil()
        {
            using SafeFileHandle hidden = File.OpenHandle(Directory.EnumerateFiles(_lab["out"], "b.img", SearchOption.AllDirectories).Single(), access: FileAccess.Write);
            RandomAccess.Write(hidden, "changed"u8, 4100);
        }
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(512)]
    [InlineData(1 << 20)]
    [InlineData((1 << 20) + 512)]
    public void SmallAndEmptyDisks(int size)
    {
        QemuTools.Require();
        _lab.AddRaw("in/a.raw", size);
        foreach (string format in size == 0 ? new[] { "qcow2", "raw" } : ["qcow2", "raw", "vdi", "vmdk"])
        {
            JobDriver driver = _lab.Driver(Spec(format, "") with { Target = WorkLab.Out($"{format}.img") });
            JobEnd end = driver.Run();
            Assert.True(end.Outcome == JobOutcome.Succeeded, $"{format}: {end.Reason}");
            Assert.Equal(size == 0 ? new GuestDigestTree(0).Finish().ToString() : driver.Job.Digest, driver.Job.Digest);
            QemuTools.Img("compare", "-f", "raw", "-F", format, _lab["in/a.raw"], _lab[$"out/{format}.img"]);
        }
    }

    [SkippableFact]
    public void AChainIsFlattenedOrKept()
    {
        QemuTools.Require();
        string bottom = _lab.AddRaw("in/base.raw", Size);
        QemuTools.Img("create", "-f", "qcow2", "-b", "base.raw", "-F", "raw", _lab["in/top.qcow2"]);
        QemuTools.Io(_lab["in/top.qcow2"], "qcow2", "write -P 7 100k 3M", "write -P 9 900M 100k", "write -z 512M 200k");

        JobDriver flat = _lab.Driver(Spec("qcow2", "") with { Source = WorkLab.In("top.qcow2"), SourceFormat = "qcow2" });
        Assert.Equal(JobOutcome.Succeeded, flat.Run().Outcome);
        Assert.Equal(["in:base.raw", "in:top.qcow2", "out:sub/b.img"], flat.Uses.Select(use => use.Image.ToString()).Order(StringComparer.Ordinal));
        QemuTools.Img("compare", "-f", "qcow2", "-F", "qcow2", _lab["in/top.qcow2"], _lab["out/sub/b.img"]);

        JobDriver lower = _lab.Driver(Spec("qcow2", "") with { Source = WorkLab.In("base.raw"), Target = WorkLab.Out("base.qcow2") });
        Assert.Equal(JobOutcome.Succeeded, lower.Run().Outcome);
        JobDriver upper = _lab.Driver(Spec("qcow2", "") with
        {
            Source = WorkLab.In("top.qcow2"),
            SourceFormat = "qcow2",
            Target = WorkLab.Out("sub/top.qcow2"),
            Backing = WorkLab.Out("base.qcow2"),
            BackingFormat = "qcow2",
        });
        JobEnd end = upper.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Contains("../base.qcow2", QemuTools.Img("info", _lab["out/sub/top.qcow2"]), StringComparison.Ordinal);
        QemuTools.Img("compare", "-f", "qcow2", "-F", "qcow2", _lab["in/top.qcow2"], _lab["out/sub/top.qcow2"]);
        Assert.Equal(bottom, _lab["in/base.raw"]);
    }

    [SkippableFact]
    public void ADiskInAnApplianceIsASourceLikeAnyOther()
    {
        QemuTools.Require();
        _lab.AddRaw("disk.raw", 3 << 20);
        QemuTools.Img("convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", _lab["disk.raw"], _lab["disk1.vmdk"]);
        File.WriteAllBytes(_lab["in/web.ova"], OvaBuilder.Ova(("disk1.vmdk", File.ReadAllBytes(_lab["disk1.vmdk"]))));
        JobDriver driver = _lab.Driver(Spec("qcow2", "") with { Source = WorkLab.In("web.ova/disk1.vmdk"), SourceFormat = "vmdk" });
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Contains(driver.Uses, use => use.Image == WorkLab.In("web.ova/disk1.vmdk"));
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", _lab["disk.raw"], _lab["out/sub/b.img"]);
    }

    private static ConvertSpec Spec(string format, string options) => new()
    {
        Source = WorkLab.In("a.raw"),
        SourceFormat = "raw",
        Target = WorkLab.Out("sub/b.img"),
        TargetFormat = format,
        Options = options.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(option => option.Split('='))
            .ToImmutableSortedDictionary(parts => parts[0], parts => parts[1]),
        Verify = VerifyMode.Digest,
    };
}
