using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;

namespace ImageCluster.Work.Running;

/// <summary>Copies shards of a convert: reads the source's chain, writes payload and tables into granted room of the target's file.</summary>
internal sealed class CopyRunner(JobFiles files) : IShardRunner
{
    private const long SmallestStep = 1 << 20;
    private const long LargestStep = 32 << 20;

    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (ConvertSpec)task.Spec;
        using OpenedSource source = files.OpenSource(spec);
        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        ConvertTarget target = files.Target(spec, task.JobId, task.Planned.VirtualSize, locator);
        using IFillTarget fill = target.Open();
        ShardResult result = Copy(task, shard, source, target, fill, scope);
        source.Watch.RequireUnchanged();
        return result;
    }

    private static ShardResult Copy(WorkTask task, long shard, OpenedSource source, ConvertTarget target, IFillTarget fill, TaskScope scope)
    {
        // A target whose shards depend on each other is one shard to the job; so is one whose shards are no whole leaves of the digest.
        if (task.Planned.ShardLength != fill.ShardLength || ConvertTarget.IsWhole(fill))
        {
            throw new ImageException(ImageErrorKind.Unsupported, target.Request.FileName,
                $"Shards of {task.Planned.ShardLength:#,0} bytes of a target whose own have {fill.ShardLength:#,0} cannot be filled by this worker");
        }

        var spec = (ConvertSpec)task.Spec;
        IRoom room = task.Layout is { HandsOutRoom: true } layout
            ? scope.Room ??= new GrantedRoom(scope.AskRoom, target.Clean, StepFor(task.Planned.ShardLength, layout.RoomAlignment))
            : fill.Room;
        ShardResult? filled = null;
        var filling = new TargetFilling(fill, source.Disk, new FillingOptions
        {
            KeepsChain = spec.Backing is not null,
            TakesDigest = spec.Verify != VerifyMode.Compare,
            OutOfOrder = true,
            Throttle = scope.Pass,
        });
        filling.Fill(shard, shard + 1, room, result => filled = result, scope.Cancel);
        fill.Flush();
        return filled!;
    }

    // Few requests a shard, and not much left over of the last.
    private static long StepFor(long shardLength, long alignment) => Math.Max(alignment, Math.Clamp(shardLength / 16, SmallestStep, LargestStep));
}
