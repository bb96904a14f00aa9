using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Native;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Running;

/// <summary>Takes in what the shards of a convert wrote and makes the target's file whole; the same again gives the same file.</summary>
internal sealed class FinishRunner(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (ConvertSpec)task.Spec;
        StagingArea staging = files.Staging(spec.Target, task.JobId);
        // What was filled whole is finished.
        if (!files.IsWhole(task))
        {
            using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
            using IFillTarget target = files.Target(spec, task.Planned.VirtualSize, staging, locator).Open();
            ConvertTarget.Finish(target, task.Layout ?? throw new InvalidOperationException("A target is finished by its layout."),
                scope.AskManifests().Select(manifest =>
                {
                    scope.Pass(0);
                    return manifest;
                }));
        }

        // Which file is ours, so that nobody else's is taken for it.
        return new ShardResult { Shard = shard, Detail = FileStamp.Of(staging.MainFile)?.Mark ?? "" };
    }
}
