using ImageCluster.Jobs.Execution;

namespace ImageCluster.Work.Running;

/// <summary>Removes what an unsuccessful convert, or the creation of an image, has written.</summary>
internal sealed class CleanUpRunner(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        scope.Lease.Require();
        files.Staging(task.Spec is ConvertSpec convert ? convert.Target : ((ChangeSpec)task.Spec).Image, task.JobId).Remove();
        return new ShardResult { Shard = shard };
    }
}
