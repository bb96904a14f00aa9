using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Running;

/// <summary>Makes the file of a convert's target in its hidden directory, and notes there what the source looks like.</summary>
internal sealed class CreateRunner(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (ConvertSpec)task.Spec;
        using OpenedSource source = files.OpenSource(spec);
        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        StagingArea staging = files.Staging(spec.Target, task.JobId);
        scope.Lease.Require();
        using IFillTarget target = files.Target(spec, task.Planned.VirtualSize, staging, locator).Create();
        if (target.VirtualSize != task.Planned.VirtualSize || (!ConvertTarget.IsWhole(target) && target.ShardLength != task.Planned.ShardLength))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, staging.FinalPath, "The source is not what it was when the job was planned");
        }

        long shards = task.Planned.Stages.First(stage => stage.Kind == StageKind.Copy).Shards;
        scope.Lease.Require();
        staging.WriteNote(source.Watch.SharedFingerprint(files.Roots));
        return new ShardResult { Shard = shard, Detail = FindingsCodec.Encode(ConvertTarget.LayoutOf(target, shards)) };
    }
}
