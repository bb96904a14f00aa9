using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Running;

/// <summary>
/// Copies shards of a convert: reads the source's chain, writes payload and tables into granted room of the target's file. A target that one worker
/// must fill whole is the one shard of its job: it is begun anew each time, and whole at the end.
/// </summary>
/// <param name="files">The job's images.</param>
/// <param name="wholeThreads">Threads for a target that is filled whole.</param>
internal sealed class CopyRunner(JobFiles files, int wholeThreads) : IShardRunner
{
    private const long SmallestStep = 1 << 20;
    private const long LargestStep = 32 << 20;

    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (ConvertSpec)task.Spec;
        StagingArea staging = files.Staging(spec.Target, task.JobId);
        using OpenedSource source = files.OpenSource(spec, staging);
        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        ConvertTarget target = files.Target(spec, task.Planned.VirtualSize, staging, locator);
        ShardResult result = files.IsWhole(task) ? CopyWhole(task, source, target, scope) : CopyShard(task, shard, source, target, scope);
        source.Watch.RequireUnchanged();
        return result;
    }

    private static ShardResult CopyShard(WorkTask task, long shard, OpenedSource source, ConvertTarget target, TaskScope scope)
    {
        using IFillTarget fill = target.Open();
        IRoom room = task.Layout is { HandsOutRoom: true } layout
            ? scope.Room ??= new GrantedRoom(scope.AskRoom, target.Clean, StepFor(task.Planned.ShardLength, layout.RoomAlignment))
            : fill.Room;
        var result = new ShardResult { Shard = shard };
        new TargetFilling(fill, source.Disk, OptionsFor(task, scope) with { OutOfOrder = true })
            .Fill(shard, shard + 1, room, filled => result = filled, scope.Cancel);
        fill.Flush();
        return result;
    }

    private ShardResult CopyWhole(WorkTask task, OpenedSource source, ConvertTarget target, TaskScope scope)
    {
        scope.Lease.Require();
        using IFillTarget fill = target.CreateAgain();
        return new TargetFilling(fill, source.Disk, OptionsFor(task, scope) with { Threads = wholeThreads }).FillWhole(scope.Cancel);
    }

    private static FillingOptions OptionsFor(WorkTask task, TaskScope scope)
    {
        var spec = (ConvertSpec)task.Spec;
        return new FillingOptions
        {
            KeepsChain = spec.Backing is not null,
            // Comparing takes the digest by itself, from what is read back.
            TakesDigest = spec.Verify != VerifyMode.Compare,
            Throttle = scope.Pass,
        };
    }

    // Few requests a shard, and not much left over of the last.
    private static long StepFor(long shardLength, long alignment) => Math.Max(alignment, Math.Clamp(shardLength / 16, SmallestStep, LargestStep));
}
