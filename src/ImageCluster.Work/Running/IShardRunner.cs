using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Leases;

namespace ImageCluster.Work.Running;

/// <summary>Does the work of a task. Blocks; may be called by several threads at a time.</summary>
public interface IShardRunner
{
    /// <summary>Does one shard. What it says is durable when it returns, or when <see cref="TaskScope.Files"/> are flushed where the scope has them. The same shard may be done again, by somebody else too.</summary>
    /// <exception cref="Imaging.ImageException">It failed.</exception>
    /// <exception cref="Gathering.SourceChangedException">A source is not what it was when the job began.</exception>
    /// <exception cref="OperationCanceledException">It was told to stop; nothing is being written any more.</exception>
    /// <exception cref="LeaseLostException">Its lease has run out; nothing is being written any more.</exception>
    ShardResult Run(WorkTask task, long shard, TaskScope scope);
}
