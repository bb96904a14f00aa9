using ImageCluster.Imaging;
using ImageCluster.Jobs.Execution;
using ImageCluster.Testing.Qemu;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Running;
using ImageCluster.Work.Tests.Support;

namespace ImageCluster.Work.Tests.Running;

/// <summary>Commit and rebase into qcow2, sharded: shards that are lost, repeated or stopped, and programs that come between.</summary>
public sealed class ShardedMergeTests : IDisposable
{
    private const long Shard = 64L << 20;
    private const long Size = 4 * Shard + 12800;

    private readonly WorkLab _lab = new();

    public void Dispose() => _lab.Dispose();

    public static TheoryData<bool> Operations => [false, true];

    [SkippableTheory]
    [MemberData(nameof(Operations))]
    public void ShardsThatAreLostHalfWayOrDoneTwiceLeaveNothingBehind(bool rebases)
    {
        MakeChain();
        int attempts = 0;
        JobDriver driver = Driver(rebases, (runner, task, shard, scope) =>
        {
            if (task.Stage is not (StageKind.Merge or StageKind.Finish or StageKind.Prepare))
            {
                return runner.Run(task, shard, scope);
            }

            switch (Interlocked.Increment(ref attempts) % 4)
            {
                case 0:
                    // Lost, and nobody hears of it.
                    runner.Run(task, shard, scope);
                    throw new LeaseLostException();
                case 1 when task.Stage == StageKind.Merge:
                    int reads = 0;
                    runner.Run(task, shard, scope with
                    {
                        Throttle = _ =>
                        {
                            if (Interlocked.Increment(ref reads) == 2)
                            {
                                scope.Lease.Revoke();
                            }
                        },
                    });
                    throw new LeaseLostException();
                case 2 when task.Stage != StageKind.Finish:
                    runner.Run(task, shard, scope);
                    return runner.Run(task, shard, scope);
                default:
                    return runner.Run(task, shard, scope);
            }
        });
        AssertSucceeded(driver);
        Assert.Equal(5, driver.Results.Count(done => done.Stage == StageKind.Merge));
        AssertMerged(rebases);
    }

    [SkippableTheory]
    [MemberData(nameof(Operations))]
    public void AJobThatFailsLeavesTheImageAsLongAsItWas(bool rebases)
    {
        MakeChain();
        string image = _lab[rebases ? "in/top.qcow2" : "in/base.qcow2"];
        long length = new FileInfo(image).Length;
        int merged = 0;
        JobDriver driver = Driver(rebases, (runner, task, shard, scope) =>
        {
            ShardResult result = runner.Run(task, shard, scope);
            return task.Stage == StageKind.Merge && Interlocked.Increment(ref merged) == 4
                ? throw new ImageException(ImageErrorKind.NoSpace, "a", "No space left on device")
                : result;
        });
        JobEnd end = driver.Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        Assert.Contains(driver.Results, done => done.Stage == StageKind.CleanUp);
        Assert.InRange(new FileInfo(image).Length, length, length + 65535);
        QemuTools.Img("check", "-f", "qcow2", image);
        QemuTools.Img("compare", _lab["in/before.raw"], _lab["in/top.qcow2"]);
        // And the same again succeeds.
        AssertSucceeded(Driver(rebases, (runner, task, shard, scope) => runner.Run(task, shard, scope)));
        AssertMerged(rebases);
    }

    [SkippableTheory]
    [MemberData(nameof(Operations))]
    public void AProgramThatWritesBetweenTwoShardsIsFoundOut(bool rebases)
    {
        MakeChain();
        string image = _lab[rebases ? "in/top.qcow2" : "in/base.qcow2"];
        int merged = 0;
        JobDriver driver = Driver(rebases, (runner, task, shard, scope) =>
        {
            if (task.Stage == StageKind.Merge && Interlocked.Increment(ref merged) == 3)
            {
                QemuTools.Io(image, "qcow2", "write -P 99 100M 1M");
            }

            return runner.Run(task, shard, scope);
        }, workers: 1);
        JobEnd end = driver.Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        Assert.Contains("Another program has written to the image", end.Reason, StringComparison.Ordinal);
        QemuTools.Img("check", "-f", "qcow2", image);
        QemuTools.Io(image, "qcow2", "read -P 99 100M 1M");
    }

    [SkippableFact]
    public void ABaseThatIsSmallerGrowsFirst()
    {
        QemuTools.Require();
        foreach (string directory in new[] { "mine", "theirs" })
        {
            Directory.CreateDirectory(_lab[$"in/{directory}"]);
            QemuTools.Img("create", "-f", "qcow2", "-o", "cluster_size=4k", _lab[$"in/{directory}/base.qcow2"], "10M");
            QemuTools.Io(_lab[$"in/{directory}/base.qcow2"], "qcow2", "write -P 1 0 3M");
            QemuTools.Img("create", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", _lab[$"in/{directory}/top.qcow2"], $"{Size}");
            QemuTools.Io(_lab[$"in/{directory}/top.qcow2"], "qcow2", "write -P 3 1M 1M", "write -P 4 70M 2M", $"write -P 5 {Size - 4096} 4096");
        }

        JobDriver driver = new(new CommitSpec { Top = WorkLab.In("mine/top.qcow2"), TopFormat = "qcow2" }, _lab.Roots) { Workers = 3 };
        AssertSucceeded(driver);
        Assert.Equal(5, driver.Results.Count(done => done.Stage == StageKind.Merge));
        QemuTools.Img("commit", _lab["in/theirs/top.qcow2"]);
        QemuTools.Img("compare", _lab["in/theirs/base.qcow2"], _lab["in/mine/base.qcow2"]);
        Assert.Contains($"({Size} bytes)", QemuTools.Img("info", _lab["in/mine/base.qcow2"]), StringComparison.Ordinal);
        QemuTools.Img("check", _lab["in/mine/base.qcow2"]);
    }

    [SkippableTheory]
    [InlineData("compat=0.10")]
    [InlineData("cluster_size=64k")]
    public void WhatOneWorkerMustWriteOneWorkerWrites(string options)
    {
        QemuTools.Require();
        QemuTools.Img("create", "-f", "qcow2", "-o", options, _lab["in/base.qcow2"], $"{Size}");
        if (!options.StartsWith("compat", StringComparison.Ordinal))
        {
            QemuTools.Img("bitmap", "--add", _lab["in/base.qcow2"], "bits");
        }

        QemuTools.Img("create", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", _lab["in/top.qcow2"]);
        QemuTools.Io(_lab["in/top.qcow2"], "qcow2", "write -P 3 1M 1M", "write -P 4 200M 2M");
        JobDriver driver = new(new CommitSpec { Top = WorkLab.In("top.qcow2") }, _lab.Roots);
        AssertSucceeded(driver);
        Assert.Equal(1, driver.Results.Count(done => done.Stage == StageKind.Merge));
        Assert.DoesNotContain(driver.Results, done => done.Stage == StageKind.Prepare);
        QemuTools.Io(_lab["in/base.qcow2"], "qcow2", "read -P 3 1M 1M", "read -P 4 200M 2M");
        QemuTools.Img("check", _lab["in/base.qcow2"]);
    }

    private JobDriver Driver(bool rebases, Func<IShardRunner, WorkTask, long, TaskScope, ShardResult> around, int workers = 3) => new(
        rebases
            ? new RebaseSpec { Image = WorkLab.In("top.qcow2"), Backing = WorkLab.In("other.raw"), BackingFormat = "raw" }
            : new CommitSpec { Top = WorkLab.In("top.qcow2"), KeepTop = true },
        _lab.Roots)
    {
        Workers = workers,
        Around = around,
    };

    private static void AssertSucceeded(JobDriver driver)
    {
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
    }

    private void AssertMerged(bool rebases)
    {
        QemuTools.Img("compare", _lab["in/before.raw"], _lab["in/top.qcow2"]);
        QemuTools.Img("compare", _lab["in/before.raw"], _lab[rebases ? "in/top.qcow2" : "in/base.qcow2"]);
        QemuTools.Img("check", "-f", "qcow2", _lab["in/base.qcow2"]);
        QemuTools.Img("check", "-f", "qcow2", _lab["in/top.qcow2"]);
    }

    // Tables of 2 MiB each, so shards of 64 MiB. The base has compressed clusters and a snapshot.
    private void MakeChain()
    {
        QemuTools.Require();
        string raw = _lab.AddRaw("in/base.raw", Size);
        _lab.AddRaw("in/other.raw", Size - (20 << 20), seed: 9);
        QemuTools.Img("convert", "-c", "-O", "qcow2", "-o", "cluster_size=4k", "-f", "raw", raw, _lab["in/base.qcow2"]);
        QemuTools.Io(_lab["in/base.qcow2"], "qcow2", "write -P 1 60M 8M", "write -P 2 130M 3M");
        QemuTools.Img("snapshot", "-c", "s", _lab["in/base.qcow2"]);
        QemuTools.Io(_lab["in/base.qcow2"], "qcow2", "write -P 7 62M 1M", "write -z 131M 1M");
        QemuTools.Img("create", "-f", "qcow2", "-o", "cluster_size=4k", "-b", "base.qcow2", "-F", "qcow2", _lab["in/top.qcow2"]);
        QemuTools.Io(_lab["in/top.qcow2"], "qcow2", "write -P 3 0 1M", "write -P 4 61M 5M", "write -z 129M 1500k", $"write -P 5 {3 * Shard - 700} 5M",
            $"write -P 6 {Size - 4096} 4096", "discard 63M 64k");
        QemuTools.Img("convert", "-O", "raw", _lab["in/top.qcow2"], _lab["in/before.raw"]);
        foreach (string file in Directory.EnumerateFiles(_lab["in"]))
        {
            WorkLab.Age(file);
        }
    }
}
