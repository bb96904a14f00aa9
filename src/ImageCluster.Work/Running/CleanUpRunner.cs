using ImageCluster.Jobs.Execution;

namespace ImageCluster.Work.Running;

/// <summary>Removes what an unsuccessful convert has written.</summary>
internal sealed class CleanUpRunner(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        scope.Lease.Require();
        files.Staging(((ConvertSpec)task.Spec).Target, task.JobId).Remove();
        return new ShardResult { Shard = shard };
    }
}
