using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Leases;

namespace ImageCluster.Work.Running;

/// <summary>Takes in what the shards of a convert wrote and makes the target's file whole; the same again gives the same file.</summary>
internal sealed class FinishRunner(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        // What was filled whole is finished.
        if (!files.IsWhole(task))
        {
            var spec = (ConvertSpec)task.Spec;
            using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
            using IFillTarget target = files.Target(spec, task.Planned.VirtualSize, files.Staging(spec.Target, task.JobId), locator).Open();
            ConvertTarget.Finish(target, task.Layout ?? throw new InvalidOperationException("A target is finished by its layout."),
                scope.AskManifests().Select(manifest =>
                {
                    scope.Pass(0);
                    return manifest;
                }));
        }

        return new ShardResult { Shard = shard };
    }
}
