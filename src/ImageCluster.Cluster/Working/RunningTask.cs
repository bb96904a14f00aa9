using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Running;

namespace ImageCluster.Cluster.Working;

/// <summary>A task that a worker has taken, as the worker's actor sees it.</summary>
internal sealed class RunningTask : IDisposable
{
    private readonly CancellationTokenSource _cancel = new();
    private bool _isOver;

    public RunningTask(ShardTask task, TimeProvider time)
    {
        Task = task;
        Lease = new WorkLease(time);
        Cancelled = _cancel.Token;
    }

    public ShardTask Task { get; }

    public (string JobId, long Assignment) Key => (Task.JobId, Task.Assignment);

    public WorkLease Lease { get; }

    public CancellationToken Cancelled { get; }

    public bool HasStarted { get; set; }

    /// <summary>Until its shards are done, or will not be: what is left then is to make them durable and to report them.</summary>
    public bool HoldsSlot { get; set; } = true;

    /// <summary>Set when its thread has ended.</summary>
    public TaskEnd? End { get; set; }

    /// <summary>What is still to be said to the job, once the thread has ended.</summary>
    public Queue<JobCommand> Reports { get; } = new();

    /// <summary>A renewal or report is on its way.</summary>
    public bool IsAsking { get; set; }

    public void Cancel()
    {
        // An answer can come when all is over.
        if (!_isOver)
        {
            _cancel.Cancel();
        }
    }

    public void Dispose()
    {
        _isOver = true;
        _cancel.Dispose();
    }
}

/// <summary>How a task's thread ended.</summary>
/// <param name="Results">Shards that are done.</param>
/// <param name="FailedShard">The shard that failed; null where none did.</param>
/// <param name="Reason">Why, in one line.</param>
/// <param name="Permanent">Trying again would not help.</param>
/// <param name="IsLost">The lease ran out: there is nobody to report to.</param>
/// <param name="Scope">What it was run with.</param>
internal sealed record TaskEnd(
    IReadOnlyList<ShardResult> Results, long? FailedShard, string Reason, bool Permanent, bool IsLost, TaskScope Scope);
