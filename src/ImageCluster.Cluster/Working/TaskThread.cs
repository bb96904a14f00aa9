using System.Diagnostics;
using ImageCluster.Cluster.Measuring;
using ImageCluster.Cluster.Messages;
using ImageCluster.Imaging;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Running;

namespace ImageCluster.Cluster.Working;

/// <summary>Runs a task on a thread of its own, so that blocking I/O holds up no actor.</summary>
internal static class TaskThread
{
    /// <param name="task">The task; its lease holds already.</param>
    /// <param name="runner">Does the shards.</param>
    /// <param name="scope">What it may count on.</param>
    /// <param name="worked">Called on that thread where all is done but to make it durable.</param>
    /// <param name="ended">Called once on that thread, at the end.</param>
    public static void Start(RunningTask task, IShardRunner runner, TaskScope scope, Action worked, Action<TaskEnd> ended) =>
        new Thread(() => ended(Counted(task.Task.Stage, Close(Run(task, runner, scope), worked)))) { IsBackground = true, Name = $"task {task.Task.JobId}/{task.Task.Assignment}" }.Start();

    private static TaskEnd Counted(StageKind stage, TaskEnd end)
    {
        if (end is { FailedShard: not null, IsLost: false })
        {
            ClusterMeter.ShardFailed(stage);
        }

        return end;
    }

    // What is not durable is not done.
    private static TaskEnd Close(TaskEnd end, Action worked)
    {
        TaskFiles? files = end.Scope.Files;
        bool counts = files is { NeedsFlush: true } && end is { IsLost: false, Results.Count: > 0 };
        try
        {
            using (files)
            {
                if (counts)
                {
                    worked();
                    files!.Flush();
                }
            }

            return end;
        }
        catch (LeaseLostException)
        {
            return end with { IsLost = true };
        }
        catch (Exception e)
        {
            return !counts ? end : end with
            {
                Results = [],
                FailedShard = end.Results[0].Shard,
                Reason = e is ImageException image ? ErrorText.Of(image) : $"{e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}",
                Permanent = e is ImageException failure && !IsPassing(failure),
            };
        }
    }

    private static TaskEnd Run(RunningTask task, IShardRunner runner, TaskScope scope)
    {
        var results = new List<ShardResult>();
        var end = new TaskEnd(results, null, "", Permanent: false, IsLost: false, scope);
        WorkTask? work = null;
        foreach (long shard in task.Task.Shards.Values())
        {
            try
            {
                scope.Cancel.ThrowIfCancellationRequested();
                scope.Lease.Require();
                work ??= WorkOf(task.Task);
                long begun = Stopwatch.GetTimestamp();
                ShardResult result = runner.Run(work, shard, scope);
                results.Add(result);
                ClusterMeter.ShardDone(task.Task.Stage, Stopwatch.GetElapsedTime(begun), result);
            }
            catch (OperationCanceledException)
            {
                return end;
            }
            catch (LeaseLostException)
            {
                return end with { IsLost = true };
            }
            catch (ImageException e)
            {
                return end with { FailedShard = shard, Reason = ErrorText.Of(e), Permanent = !IsPassing(e) };
            }
            catch (SourceChangedException e)
            {
                return end with { FailedShard = shard, Reason = e.Message, Permanent = true };
            }
            catch (Exception e)
            {
                // A defect of this program must not take the node down with it.
                return end with { FailedShard = shard, Reason = $"{e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}" };
            }
        }

        return end;
    }

    /// <exception cref="ContractException">What was found out about the images was written by a newer version.</exception>
    private static WorkTask WorkOf(ShardTask task) => new(task.JobId, task.Stage, task.Spec, task.Plan, task.Layout)
    {
        Probed = task.Probed.Length == 0 || task.Stage == StageKind.Probe ? null : FindingsCodec.DecodeProbe(task.Probed),
        FinishedFile = task.FinishedFile,
    };

    // Trouble of the surroundings, not of the image: another try, perhaps on another worker, can succeed.
    private static bool IsPassing(ImageException e) => e.Kind is ImageErrorKind.Io or ImageErrorKind.Locked or ImageErrorKind.NotFound;
}
