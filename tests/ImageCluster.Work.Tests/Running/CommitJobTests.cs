using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Testing.Qemu;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Tests.Support;

namespace ImageCluster.Work.Tests.Running;

/// <summary>Commits, beside those of qemu-img on a copy of the same chain.</summary>
public sealed class CommitJobTests : IDisposable
{
    private const long Shard = 512L << 20;
    private const long Size = 2 * Shard + (70 << 20);

    private readonly WorkLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableTheory]
    [InlineData("raw", false, 3)]
    [InlineData("raw", true, 3)]
    [InlineData("qcow2", false, 3)]
    [InlineData("qcow2", true, 3)]
    [InlineData("vmdk", true, 1)]
    public void TheBaseTakesInWhatTheTopHolds(string format, bool keeps, int shards)
    {
        MakeChain(format);
        string before = Content("mine/top.qcow2", "qcow2");
        JobDriver driver = new(new CommitSpec { Top = WorkLab.In("mine/top.qcow2"), KeepTop = keeps }, _lab.Roots) { Workers = 3 };
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Equal(shards, driver.Results.Count(done => done.Stage == StageKind.Merge));
        Assert.Equal(!keeps, driver.Results.Any(done => done.Stage == StageKind.Empty));
        Assert.Equal(UsePurpose.Commit, driver.Uses.Single(use => use.Image == WorkLab.In($"mine/base.{format}")).Purpose);

        QemuTools.Img([.. keeps ? new[] { "commit", "-d" } : ["commit"], _lab["in/theirs/top.qcow2"]]);
        QemuTools.Img("compare", "-f", format, "-F", format, _lab[$"in/theirs/base.{format}"], _lab[$"in/mine/base.{format}"]);
        Assert.Equal(before, Content($"mine/base.{format}", format));
        Assert.Equal(before, Content("mine/top.qcow2", "qcow2"));
        if (format != "raw")
        {
            QemuTools.Img("check", "-f", format, _lab[$"in/mine/base.{format}"]);
        }

        QemuTools.Img("check", _lab["in/mine/top.qcow2"]);
        Assert.Equal(keeps, QemuTools.Img("map", _lab["in/mine/top.qcow2"]).Contains("top.qcow2", StringComparison.Ordinal));
    }

    [SkippableFact]
    public void ABaseThatIsSmallerGrows()
    {
        QemuTools.Require();
        Directory.CreateDirectory(_lab["in/mine"]);
        _lab.AddRaw("in/mine/base.raw", 100 << 20);
        QemuTools.Img("create", "-f", "qcow2", "-b", "base.raw", "-F", "raw", _lab["in/mine/top.qcow2"], $"{Size}");
        QemuTools.Io(_lab["in/mine/top.qcow2"], "qcow2", "write -P 3 0 1M", "write -P 4 600M 2M", $"write -P 5 {Size - 4096} 4096");
        string before = Content("mine/top.qcow2", "qcow2");
        JobDriver driver = new(new CommitSpec { Top = WorkLab.In("mine/top.qcow2"), TopFormat = "qcow2" }, _lab.Roots)
        {
            Workers = 3,
            Around = (runner, task, shard, scope) =>
            {
                runner.Run(task, shard, scope);
                return runner.Run(task, shard, scope);
            },
        };
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Equal(Size, new FileInfo(_lab["in/mine/base.raw"]).Length);
        Assert.Equal(before, Content("mine/base.raw", "raw"));
    }

    [SkippableFact]
    public void IntoALowerImageTheTopIsKept()
    {
        MakeChain("raw");
        QemuTools.Img("create", "-f", "qcow2", "-b", "top.qcow2", "-F", "qcow2", _lab["in/mine/upper.qcow2"]);
        QemuTools.Io(_lab["in/mine/upper.qcow2"], "qcow2", "write -P 77 200M 3M", "write -P 78 600M 64k");
        string before = Content("mine/upper.qcow2", "qcow2");
        JobDriver driver = _lab.Driver(new CommitSpec { Top = WorkLab.In("mine/upper.qcow2"), Base = WorkLab.In("mine/base.raw") });
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Equal(before, Content("mine/base.raw", "raw"));
        Assert.DoesNotContain(driver.Results, done => done.Stage == StageKind.Empty);
        Assert.Contains("upper.qcow2", QemuTools.Img("map", _lab["in/mine/upper.qcow2"]), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    public void AWorkerThatLosesItsLeaseWritesNothingMoreAndTheNextGoesOn(string format)
    {
        MakeChain(format);
        string before = Content("mine/top.qcow2", "qcow2");
        int lost = 0;
        JobDriver driver = new(new CommitSpec { Top = WorkLab.In("mine/top.qcow2") }, _lab.Roots)
        {
            Workers = 1,
            Around = (runner, task, shard, scope) =>
            {
                if (task.Stage != StageKind.Merge || Interlocked.Increment(ref lost) > 1)
                {
                    return runner.Run(task, shard, scope);
                }

                int reads = 0;
                Assert.Throws<LeaseLostException>(() => runner.Run(task, shard, scope with
                {
                    Throttle = _ =>
                    {
                        if (++reads == 1)
                        {
                            scope.Lease.Revoke();
                        }
                    },
                }));

                // Its locks are gone with it.
                new LocalFileLocator().Open(_lab[$"in/mine/base.{format}"], OpenMode.ReadWrite).Dispose();
                throw new LeaseLostException();
            },
        };
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Equal(before, Content($"mine/base.{format}", format));
    }

    [SkippableTheory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    public void ABaseThatARunningMachineHasIsNotWrittenTo(string format)
    {
        MakeChain(format);
        string before = Content($"mine/base.{format}", format);
        JobDriver driver = _lab.Driver(new CommitSpec { Top = WorkLab.In("mine/top.qcow2") });
        using (QemuHolder.Io(_lab[$"in/mine/base.{format}"], format))
        {
            JobEnd end = driver.Run();
            Assert.Equal(JobOutcome.Failed, end.Outcome);
            Assert.Contains("lock", end.Reason, StringComparison.Ordinal);
        }

        Assert.Equal(before, Content($"mine/base.{format}", format));
    }

    [SkippableFact]
    public void WhileShardsAreWrittenNoMachineCanHaveTheBase()
    {
        MakeChain("raw");
        bool refused = false;
        JobDriver driver = new(new CommitSpec { Top = WorkLab.In("mine/top.qcow2") }, _lab.Roots)
        {
            Workers = 1,
            Around = (runner, task, shard, scope) => runner.Run(task, shard, task.Stage != StageKind.Merge ? scope : scope with
            {
                Throttle = _ => refused |= QemuTools.TryImg("convert", "-f", "raw", "-O", "raw", _lab["in/mine/base.raw"], _lab["copy.raw"]).Error.Contains("lock", StringComparison.Ordinal),
            }),
        };
        Assert.Equal(JobOutcome.Succeeded, driver.Run().Outcome);
        Assert.True(refused);
    }

    [SkippableTheory]
    [InlineData(StageKind.Merge)]
    [InlineData(StageKind.Empty)]
    public void WhatAMachineWritesToTheTopMeanwhileIsNotLost(StageKind stage)
    {
        MakeChain("raw");
        int begun = 0;
        string before = "";
        JobDriver driver = new(new CommitSpec { Top = WorkLab.In("mine/top.qcow2") }, _lab.Roots)
        {
            Workers = 1,
            Around = (runner, task, shard, scope) =>
            {
                if (task.Stage == stage && Interlocked.Increment(ref begun) == 1)
                {
                    QemuTools.Io(_lab["in/mine/top.qcow2"], "qcow2", "write -P 99 20M 64k");
                    before = Content("mine/top.qcow2", "qcow2");
                }

                return runner.Run(task, shard, scope);
            },
        };
        JobEnd end = driver.Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        Assert.Contains("top.qcow2 changed while it was read", end.Reason, StringComparison.Ordinal);
        Assert.Equal(before, Content("mine/top.qcow2", "qcow2"));
    }

    [SkippableTheory]
    [InlineData(StageKind.Merge)]
    [InlineData(StageKind.Finish)]
    [InlineData(StageKind.Empty)]
    public void AStepDoneAgainDoesNoHarm(StageKind stage)
    {
        MakeChain("raw");
        string before = Content("mine/top.qcow2", "qcow2");
        int lost = 0;
        JobDriver driver = new(new CommitSpec { Top = WorkLab.In("mine/top.qcow2") }, _lab.Roots)
        {
            Around = (runner, task, shard, scope) =>
            {
                ShardResult result = runner.Run(task, shard, scope);
                return task.Stage == stage && Interlocked.Increment(ref lost) <= 2 ? throw new LeaseLostException() : result;
            },
        };
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Equal(before, Content("mine/base.raw", "raw"));
        Assert.Equal(before, Content("mine/top.qcow2", "qcow2"));
    }

    [SkippableFact]
    public void WhatCannotBeIsSaidBeforeAnythingIsWritten()
    {
        MakeChain("raw");
        Assert.Contains("Image does not have a backing file", Failure(new CommitSpec { Top = WorkLab.In("mine/base.raw"), TopFormat = "raw" }), StringComparison.Ordinal);
        Assert.Contains("Did not find 'in:theirs/base.raw'",
            Failure(new CommitSpec { Top = WorkLab.In("mine/top.qcow2"), Base = WorkLab.In("theirs/base.raw") }), StringComparison.Ordinal);
        QemuTools.Img("create", "-f", "vmdk", _lab["in/base.vmdk"], "10M");
        QemuTools.Img("create", "-f", "vmdk", "-b", "base.vmdk", "-F", "vmdk", _lab["in/top.vmdk"]);
        Assert.Contains("cannot be emptied", Failure(new CommitSpec { Top = WorkLab.In("top.vmdk") }), StringComparison.Ordinal);
    }

    private string Failure(CommitSpec spec)
    {
        JobEnd end = _lab.Driver(spec).Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        return end.Reason;
    }

    // The same chain twice: for us and for qemu-img.
    private void MakeChain(string format)
    {
        QemuTools.Require();
        foreach (string directory in new[] { "mine", "theirs" })
        {
            string raw = _lab.AddRaw($"in/{directory}/base.raw", Size);
            if (format != "raw")
            {
                QemuTools.Img("convert", "-f", "raw", "-O", format, raw, _lab[$"in/{directory}/base.{format}"]);
            }

            string top = _lab[$"in/{directory}/top.qcow2"];
            QemuTools.Img("create", "-f", "qcow2", "-b", $"base.{format}", "-F", format, top);
            QemuTools.Io(top, "qcow2", "write -P 3 0 1M", $"write -P 4 {Shard - 65536} 128k", "write -z 100M 1M", $"write -P 5 {2 * Shard + 12345 - 12345 % 512} 5M",
                $"write -P 6 {Size - 4096} 4096", $"write -z {Shard + (100 << 10)} 64k");
            WorkLab.Age(top);
        }
    }

    private string Content(string name, string format)
    {
        JobDriver driver = _lab.Driver(new ConvertSpec
        {
            Source = WorkLab.In(name),
            SourceFormat = format,
            Target = WorkLab.Out("content.raw"),
            TargetFormat = "raw",
            Verify = Jobs.Manifests.VerifyMode.None,
            Replace = true,
        });
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        return driver.Job.Digest;
    }
}
