using System.Text.Json;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Testing.Qemu;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Tests.Support;

namespace ImageCluster.Work.Tests.Running;

/// <summary>Rebases, beside those of qemu-img on a copy of the same chain.</summary>
public sealed class RebaseJobTests : IDisposable
{
    private const long Shard = 512L << 20;
    private const long Size = Shard + (70 << 20);

    private readonly WorkLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableTheory]
    [InlineData("other.raw", "raw")]
    [InlineData("base.raw", "raw")]
    [InlineData("other.qcow2", "qcow2")]
    [InlineData(null, "")]
    public void TheGuestSeesTheSameOnAnotherBase(string? backing, string format)
    {
        MakeChain();
        RebaseSpec spec = new() { Image = In("top.qcow2"), Backing = backing is null ? null : In(backing), BackingFormat = format };
        JobDriver driver = _lab.Driver(spec);
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Equal(2, driver.Results.Count(done => done.Stage == StageKind.Merge));
        QemuTools.Img([.. backing is null ? new[] { "rebase", "-b", "" } : ["rebase", "-b", backing, "-F", format], _lab["in/theirs/top.qcow2"]]);
        QemuTools.Img("compare", _lab["in/theirs/top.qcow2"], _lab["in/mine/top.qcow2"]);
        QemuTools.Img("compare", _lab["in/before.raw"], _lab["in/mine/top.qcow2"]);
        QemuTools.Img("check", _lab["in/mine/top.qcow2"]);
        Assert.Equal(Mapped("theirs"), Mapped("mine"));
        Assert.Equal(Backing("theirs"), Backing("mine"));
    }

    [SkippableFact]
    public void OnlyTheNameIsChangedWhereThatIsAskedFor()
    {
        MakeChain();
        RebaseSpec spec = new() { Image = In("top.qcow2"), Backing = In("gone.raw"), BackingFormat = "raw", Unsafe = true };
        JobDriver driver = _lab.Driver(spec);
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Equal([StageKind.Probe, StageKind.Relink], driver.Results.Select(done => done.Stage));
        Assert.Contains("gone.raw", Backing("mine"), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(StageKind.Merge)]
    [InlineData(StageKind.Finish)]
    [InlineData(StageKind.Relink)]
    public void AStepDoneAgainDoesNoHarm(StageKind stage)
    {
        MakeChain();
        int lost = 0;
        JobDriver driver = new(new RebaseSpec { Image = In("top.qcow2"), Backing = In("other.raw"), BackingFormat = "raw" }, _lab.Roots)
        {
            Around = (runner, task, shard, scope) =>
            {
                ShardResult result = runner.Run(task, shard, scope);
                return task.Stage == stage && Interlocked.Increment(ref lost) == 1 ? throw new LeaseLostException() : result;
            },
        };
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        QemuTools.Img("compare", _lab["in/before.raw"], _lab["in/mine/top.qcow2"]);
    }

    [SkippableFact]
    public void ALeaseLostWhileMergingLeavesTheOldBackingFile()
    {
        MakeChain();
        int lost = 0;
        JobDriver driver = new(new RebaseSpec { Image = In("top.qcow2"), Backing = In("other.raw"), BackingFormat = "raw" }, _lab.Roots)
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
                        if (Interlocked.Increment(ref reads) == 2)
                        {
                            scope.Lease.Revoke();
                        }
                    },
                }));
                QemuTools.Img("compare", _lab["in/before.raw"], _lab["in/mine/top.qcow2"]);
                throw new LeaseLostException();
            },
        };
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        // Two shards, one of them twice.
        Assert.Equal(3, lost);
        QemuTools.Img("compare", _lab["in/before.raw"], _lab["in/mine/top.qcow2"]);
    }

    [SkippableTheory]
    [InlineData(StageKind.Merge)]
    [InlineData(StageKind.Relink)]
    public void ANewBackingFileThatChangesMeanwhileIsNotTaken(StageKind stage)
    {
        MakeChain();
        JobDriver driver = new(new RebaseSpec { Image = In("top.qcow2"), Backing = In("other.raw"), BackingFormat = "raw" }, _lab.Roots)
        {
            Around = (runner, task, shard, scope) =>
            {
                if (task.Stage == stage)
                {
                    QemuTools.Io(_lab["in/mine/other.raw"], "raw", "write -P 99 20M 64k");
                }

                return runner.Run(task, shard, scope);
            },
        };
        JobEnd end = driver.Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        Assert.Contains("other.raw changed while it was read", end.Reason, StringComparison.Ordinal);
        QemuTools.Img("compare", _lab["in/before.raw"], _lab["in/mine/top.qcow2"]);
        Assert.Contains("middle.qcow2", Backing("mine"), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void WhatCannotBeIsSaid()
    {
        MakeChain();
        File.CreateSymbolicLink(_lab["in/mine/link.qcow2"], _lab["in/mine/top.qcow2"]);
        foreach ((RebaseSpec spec, string message) in new[]
        {
            (new RebaseSpec { Image = In("top.qcow2"), Backing = In("other.raw") }, "backing format must be specified"),
            (new RebaseSpec { Image = In("middle.qcow2"), Backing = In("top.qcow2"), BackingFormat = "qcow2" }, "stands on"),
            (new RebaseSpec { Image = In("link.qcow2"), Backing = In("other.raw"), BackingFormat = "raw" }, "It is in:mine/top.qcow2"),
            (new RebaseSpec { Image = In("base.raw"), Format = "raw", Unsafe = true, Backing = In("other.raw"), BackingFormat = "raw" }, "Operation not supported"),
        })
        {
            JobEnd end = _lab.Driver(spec).Run();
            Assert.Equal(JobOutcome.Failed, end.Outcome);
            Assert.Contains(message, end.Reason, StringComparison.Ordinal);
        }
    }

    private static ImageName In(string name) => WorkLab.In($"mine/{name}");

    private string Backing(string directory) =>
        QemuTools.Img("info", _lab[$"in/{directory}/top.qcow2"]).Split('\n').FirstOrDefault(line => line.StartsWith("backing file:", StringComparison.Ordinal), "")
            .Replace($"/{directory}/", "/", StringComparison.Ordinal);

    // Where in the file it lies, and so where extents end, is each one's own.
    private string Mapped(string directory)
    {
        List<string> mapped = [];
        using JsonDocument map = JsonDocument.Parse(QemuTools.Img("map", "--output=json", _lab[$"in/{directory}/top.qcow2"]));
        foreach (JsonElement extent in map.RootElement.EnumerateArray())
        {
            string what = $"depth {extent.GetProperty("depth")}, zero {extent.GetProperty("zero")}, data {extent.GetProperty("data")}";
            if (mapped.Count == 0 || !mapped[^1].EndsWith(what, StringComparison.Ordinal))
            {
                mapped.Add($"from {extent.GetProperty("start")}: {what}");
            }
        }

        return string.Join('\n', mapped);
    }

    private void MakeChain()
    {
        QemuTools.Require();
        foreach (string directory in new[] { "mine", "theirs" })
        {
            _lab.AddRaw($"in/{directory}/base.raw", Size, seed: 1);
            _lab.AddRaw($"in/{directory}/other.raw", Size - (20 << 20), seed: 9);
            QemuTools.Img("convert", "-f", "raw", "-O", "qcow2", _lab[$"in/{directory}/other.raw"], _lab[$"in/{directory}/other.qcow2"]);
            QemuTools.Img("create", "-f", "qcow2", "-b", "base.raw", "-F", "raw", _lab[$"in/{directory}/middle.qcow2"]);
            QemuTools.Io(_lab[$"in/{directory}/middle.qcow2"], "qcow2", "write -P 3 10M 1M", "write -P 4 550M 128k");
            QemuTools.Img("create", "-f", "qcow2", "-b", "middle.qcow2", "-F", "qcow2", _lab[$"in/{directory}/top.qcow2"]);
            QemuTools.Io(_lab[$"in/{directory}/top.qcow2"], "qcow2", "write -P 5 10M 64k", "write -z 550M 64k", "write -P 6 0 512");
        }

        QemuTools.Img("convert", "-O", "raw", _lab["in/mine/top.qcow2"], _lab["in/before.raw"]);
    }
}
