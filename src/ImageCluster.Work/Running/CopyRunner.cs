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

    public ShardResult Run(WorkTask task, long shard, TaskScope scope) => files.IsWhole(task) ? CopyWhole(task, scope) : CopyShard(task, shard, scope);

    private ShardResult CopyShard(WorkTask task, long shard, TaskScope scope)
    {
        using OpenCopy? own = scope.Files is null ? Open(task, scope) : null;
        OpenCopy copy = own ?? scope.Files!.GetOrOpen(() => Open(task, scope));
        IRoom room = task.Layout is { HandsOutRoom: true } layout
            ? scope.Room ??= new GrantedRoom(scope.AskRoom, copy.Target.Clean, StepFor(task.Planned.ShardLength, layout.RoomAlignment))
            : copy.Fill.Room;
        var result = new ShardResult { Shard = shard };
        new TargetFilling(copy.Fill, copy.Source.Disk, OptionsFor(task, scope) with { OutOfOrder = true })
            .Fill(shard, shard + 1, room, filled => result = filled, scope.Cancel);
        own?.Flush();
        copy.Source.Watch.RequireUnchanged();
        return result;
    }

    private OpenCopy Open(WorkTask task, TaskScope scope)
    {
        var spec = (ConvertSpec)task.Spec;
        StagingArea staging = files.Staging(spec.Target, task.JobId);
        OpenedSource source = files.OpenSource(spec, staging);
        FencedLocator? locator = null;
        try
        {
            locator = new FencedLocator(files.Roots.Locator, scope.Lease);
            ConvertTarget target = files.Target(spec, task.Planned.VirtualSize, staging, locator);
            return new OpenCopy(source, locator, target, target.Open());
        }
        catch
        {
            locator?.Dispose();
            source.Dispose();
            throw;
        }
    }

    private ShardResult CopyWhole(WorkTask task, TaskScope scope)
    {
        var spec = (ConvertSpec)task.Spec;
        StagingArea staging = files.Staging(spec.Target, task.JobId);
        using OpenedSource source = files.OpenSource(spec, staging);
        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        scope.Lease.Require();
        using IFillTarget fill = files.Target(spec, task.Planned.VirtualSize, staging, locator).CreateAgain();
        ShardResult result = new TargetFilling(fill, source.Disk, OptionsFor(task, scope) with { Threads = wholeThreads }).FillWhole(scope.Cancel);
        source.Watch.RequireUnchanged();
        return result;
    }

    private static FillingOptions OptionsFor(WorkTask task, TaskScope scope)
    {
        var spec = (ConvertSpec)task.Spec;
        return new FillingOptions
        {
            KeepsChain = spec.Backing is not null,
            // Comparing takes the digest by itself, from what is read back.
            TakesDigest = spec.TakesDigest && spec.Verify != VerifyMode.Compare,
            Throttle = scope.Pass,
        };
    }

    // Few requests a shard, and not much left over of the last.
    private static long StepFor(long shardLength, long alignment) => Math.Max(alignment, Math.Clamp(shardLength / 16, SmallestStep, LargestStep));
}
