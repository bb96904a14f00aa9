using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Operations.Comparing;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Testing.Qemu;
using ImageCluster.Work.Tests.Support;

namespace ImageCluster.Work.Tests.Running;

/// <summary>Comparisons over shards, by several workers, give what one machine and qemu-img find.</summary>
public sealed class CompareJobTests : IDisposable
{
    private const long Shard = 512L << 20;

    private readonly WorkLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableTheory]
    [InlineData(-1, 0)]
    [InlineData(0, 0)]
    [InlineData(700, 0)]
    [InlineData(Shard - 1, 0)]
    [InlineData(Shard, 0)]
    [InlineData(2 * Shard + 5, 0)]
    [InlineData(-1, 1 << 20)]
    [InlineData(-1, Shard)]
    [InlineData(2 * Shard + 5, Shard)]
    [InlineData(3 * Shard + (1 << 20) + 777, Shard)]
    public void TheLowestDifferenceIsFound(long differsAt, long longer)
    {
        QemuTools.Require();
        const long Size = 3 * Shard + (1 << 20);
        (long, byte[])[] pieces = [(0, GuestContent.Make(64 << 10, 1)), (Shard - 4096, GuestContent.Make(8192, 2)), (2 * Shard, GuestContent.Make(64 << 10, 3))];
        WorkLab.Write(_lab["in/a.raw"], Size, pieces);
        WorkLab.Write(_lab["in/b.raw"], Size + longer, pieces);
        if (differsAt >= 0)
        {
            using IBlockFile file = new LocalFileLocator().Open(_lab["in/b.raw"], OpenMode.ReadWrite);
            byte[] old = new byte[1];
            file.Read(differsAt, old);
            file.Write(differsAt, [(byte)(old[0] ^ 0x55)]);
            // One behind it as well: it is not to be the answer.
            file.Write(Size - 512, [1]);
        }

        (string, string)[] orders = [("a.raw", "b.raw"), ("b.raw", "a.raw")];
        foreach ((string first, string second) in orders)
        {
            foreach (bool strict in new[] { false, true })
            {
                AssertAsOneMachine(first, second, strict);
            }
        }
    }

    [SkippableFact]
    public void AllocationCountsWhereStrict()
    {
        QemuTools.Require();
        const long Size = 2 * Shard;
        (long, byte[])[] pieces = [(0, GuestContent.Make(64 << 10, 1))];
        WorkLab.Write(_lab["in/a.raw"], Size, pieces);
        WorkLab.Write(_lab["in/b.raw"], Size, pieces);
        QemuTools.Img("convert", "-f", "raw", "-O", "qcow2", _lab["in/a.raw"], _lab["in/a.qcow2"]);
        QemuTools.Img("convert", "-f", "raw", "-O", "qcow2", _lab["in/b.raw"], _lab["in/b.qcow2"]);
        QemuTools.Io(_lab["in/b.qcow2"], "qcow2", $"write -z {Shard + (1 << 20)} 1M");
        AssertAsOneMachine("a.qcow2", "b.qcow2", strict: false);
        AssertAsOneMachine("a.qcow2", "b.qcow2", strict: true);
    }

    [Fact]
    public void BehindTheDifferenceNothingNeedBeRead()
    {
        _lab.AddRaw("in/a.raw", 6 * Shard);
        WorkLab.Write(_lab["in/b.raw"], 6 * Shard, []);
        var driver = new JobDriver(new CompareSpec { First = WorkLab.In("a.raw"), Second = WorkLab.In("b.raw") }, _lab.Roots) { Workers = 1 };
        Assert.Equal(JobOutcome.Succeeded, driver.Run().Outcome);
        Assert.Equal(0, driver.Job.FirstDifference);
        Assert.True(driver.Results.Count(done => done.Stage == StageKind.Compare) < 6);
    }

    [Fact]
    public void AnImageThatChangesBetweenTwoShardsFailsTheComparison()
    {
        _lab.AddRaw("in/a.raw", 3 * Shard);
        _lab.AddRaw("in/b.raw", 3 * Shard);
        int begun = 0;
        var driver = new JobDriver(new CompareSpec { First = WorkLab.In("a.raw"), Second = WorkLab.In("b.raw") }, _lab.Roots)
        {
            Workers = 1,
            Around = (runner, task, shard, scope) =>
            {
                if (task.Stage == StageKind.Compare && ++begun == 2)
                {
                    using IBlockFile file = new LocalFileLocator().Open(_lab["in/b.raw"], OpenMode.ReadWrite);
                    file.Write(Shard + 5, [1]);
                }

                return runner.Run(task, shard, scope);
            },
        };
        JobEnd end = driver.Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        Assert.Contains("in:b.raw changed while it was read", end.Reason, StringComparison.Ordinal);
    }

    private void AssertAsOneMachine(string first, string second, bool strict)
    {
        using LayeredDisk a = new ChainOpener(new LocalFileLocator()).Open(_lab[$"in/{first}"], ChainOptions.ReadOnly);
        using LayeredDisk b = new ChainOpener(new LocalFileLocator()).Open(_lab[$"in/{second}"], ChainOptions.ReadOnly);
        CompareResult one = new Comparer(a, b, new CompareOptions { Strict = strict }).Run(CancellationToken.None);
        JobDriver driver = _lab.Driver(new CompareSpec { First = WorkLab.In(first), Second = WorkLab.In(second), Strict = strict });
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Equal(one.Identical ? null : one.Offset, driver.Job.FirstDifference);
        if (!one.Identical)
        {
            string detail = driver.Results.Where(done => done.Result.FirstDifference is not null).MinBy(done => done.Result.FirstDifference).Result.Detail;
            Assert.Equal(new CompareFindings(one.Verdict, one.SizesDiffer), FindingsCodec.DecodeCompare(detail));
        }

        int expected = QemuTools.TryImg([.. strict ? new[] { "compare", "-s" } : ["compare"], _lab[$"in/{first}"], _lab[$"in/{second}"]]).ExitCode;
        Assert.Equal(expected == 0, one.Identical);
    }
}
