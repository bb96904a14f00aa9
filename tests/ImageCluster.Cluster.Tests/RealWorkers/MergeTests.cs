using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Imaging;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Running;

namespace ImageCluster.Cluster.Tests.RealWorkers;

/// <summary>Commit and rebase into qcow2 by several workers in actor systems of their own: one dies in the middle of a shard, steps of the other fail and are tried again.</summary>
public sealed class MergeTests : IDisposable
{
    private const string Root = "disks";
    private const long Shard = 64L << 20;
    private const long Size = 5 * Shard;

    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_worker_that_dies_and_steps_that_fail_leave_the_image_whole(bool rebases)
    {
        QemuTools.Require();
        MakeChain();
        var roots = new Dictionary<string, string> { [Root] = _directory["disks"] };
        var inner = new ShardRunner(new RootMap(roots), wholeThreads: 2);
        using var halfway = new ManualResetEventSlim();
        HashSet<(StageKind, long)> failed = [];
        int merged = 0;
        await using TestNode coordinator = await TestNode.StartAsync(_directory["journal.db"]);
        TestNode dying = await WorkerAsync(new Steps((task, shard, scope) =>
        {
            if (task.Stage != StageKind.Merge)
            {
                return inner.Run(task, shard, scope);
            }

            return inner.Run(task, shard, scope with
            {
                Throttle = _ =>
                {
                    halfway.Set();
                    // Until the node is gone.
                    scope.Cancel.WaitHandle.WaitOne(TestNode.Patience);
                },
            });
        }));
        await using TestNode living = await WorkerAsync(new Steps((task, shard, scope) =>
        {
            if (task.Stage == StageKind.Merge)
            {
                // Some shard is the other's.
                halfway.Wait(TestNode.Patience);
            }

            ShardResult result = inner.Run(task, shard, scope);
            lock (failed)
            {
                merged += task.Stage == StageKind.Merge ? 1 : 0;
                return task.Stage is not (StageKind.Prepare or StageKind.Merge or StageKind.Finish) || !failed.Add((task.Stage, shard))
                    ? result
                    : throw new ImageException(ImageErrorKind.Io, null, "Input/output error");
            }
        }));
        await coordinator.SubmitAsync("j", rebases
            ? new RebaseSpec { Image = Name("top.qcow2"), Backing = Name("other.raw"), BackingFormat = "raw" }
            : new CommitSpec { Top = Name("top.qcow2") });
        Assert.True(halfway.Wait(TestNode.Patience));
        await dying.DisposeAsync();
        JobDescription end = await coordinator.JobEndAsync("j");
        Assert.True(end.Summary is { State: "succeeded", Reason: "" }, $"{end.Summary.State}: {end.Summary.Reason}");
        Assert.True(merged >= 10, $"{merged} shards were merged by the worker that lived");
        string image = _directory[rebases ? "disks/top.qcow2" : "disks/base.qcow2"];
        QemuTools.Img("check", "-f", "qcow2", image);
        QemuTools.Img("compare", _directory["before.raw"], image);
        QemuTools.Img("compare", _directory["before.raw"], _directory["disks/top.qcow2"]);
        ImageDescription description = await TestNode.AskAsync<ImageDescription>(coordinator.Images, new DescribeImage(Name(Path.GetFileName(image))));
        Assert.Empty(description.Users);
        Assert.Empty(description.OpenRooms);

        Task<TestNode> WorkerAsync(IShardRunner runner) =>
            TestNode.StartAsync(_directory["journal.db"], coordinator, coordinator: false, roots: roots, runner: runner, slots: 1);
    }

    private static ImageName Name(string file) => new(Root, file);

    private void MakeChain()
    {
        Directory.CreateDirectory(_directory["disks"]);
        QemuTools.Img("create", "-f", "raw", _directory["disks/other.raw"], $"{Size}");
        QemuTools.Io(_directory["disks/other.raw"], "raw", "write -P 1 1M 3M", "write -P 9 250M 2M");
        QemuTools.Img("create", "-f", "qcow2", "-o", "cluster_size=4k", _directory["disks/base.qcow2"], $"{Size}");
        QemuTools.Io(_directory["disks/base.qcow2"], "qcow2",
            [.. Enumerable.Range(0, 5).SelectMany(i => new[] { $"write -P {i + 1} {i * Shard} 3M", $"write -P {i + 11} {(i * Shard) + (40 << 20)} 1500k" })]);
        QemuTools.Img("create", "-f", "qcow2", "-o", "cluster_size=4k", "-b", "base.qcow2", "-F", "qcow2", _directory["disks/top.qcow2"]);
        QemuTools.Io(_directory["disks/top.qcow2"], "qcow2", [.. Enumerable.Range(0, 5).SelectMany(i => new[]
        {
            $"write -P {i + 21} {(i * Shard) + (1 << 20)} 4M", $"write -z {(i * Shard) + (40 << 20)} 512k", $"write -P 77 {(i * Shard) + (60 << 20) + 512} 512",
        })]);
        QemuTools.Img("convert", "-O", "raw", _directory["disks/top.qcow2"], _directory["before.raw"]);
    }

    private sealed class Steps(Func<WorkTask, long, TaskScope, ShardResult> run) : IShardRunner
    {
        public ShardResult Run(WorkTask task, long shard, TaskScope scope) => run(task, shard, scope);
    }
}
