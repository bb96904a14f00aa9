using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Working;

/// <summary>Does the work of a task. Blocks; called on a thread of its own, several tasks at a time.</summary>
public interface IShardRunner
{
    /// <summary>Does one shard. What it says is durable when it returns.</summary>
    /// <exception cref="Imaging.ImageException">It failed.</exception>
    /// <exception cref="OperationCanceledException">It was told to stop; nothing is being written any more.</exception>
    /// <exception cref="LeaseLostException">Its lease has run out; nothing is being written any more.</exception>
    ShardResult Run(ShardTask task, long shard, TaskScope scope);
}
