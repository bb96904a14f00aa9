using Akka.Actor;
using ImageCluster.Cluster.Messages;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;

namespace ImageCluster.Cluster.Working;

/// <summary>
/// What tasks ask of others while they run, on their threads: each is asked again and again until it is answered, as long as the task's lease holds.
/// </summary>
/// <param name="worker">The worker's name.</param>
/// <param name="askTimeout">An answer that has not come after so long is not waited for any more.</param>
/// <param name="scheduler">The scheduler, or a way to it.</param>
/// <param name="jobs">The region of jobs.</param>
/// <param name="images">The region of images.</param>
internal sealed class TaskQuestions(string worker, TimeSpan askTimeout, IActorRef scheduler, IActorRef jobs, IActorRef images)
{
    public (long Bytes, TimeSpan Wait) Reserve(RunningTask task, TaskRate rate, long bytes)
    {
        BytesReserved reserved = AskUntilAnswered<BytesReserved>(task, scheduler, new ReserveBytes(rate.Name, rate.BytesPerSecond, worker, bytes));
        return (reserved.Bytes, reserved.Wait);
    }

    /// <summary>The same request may be asked again and again: it gets the same room.</summary>
    public RoomGrant AskRoom(RunningTask task, int request, long wanted, long atLeast)
    {
        ImageName target = task.Task.RoomOf ?? throw new InvalidOperationException($"The step {task.Task.Stage} has no target that grants room.");
        ImageReply reply = AskUntilAnswered<ImageReply>(task, images,
            new GrantRoom(target, default, task.Task.TargetToken, task.Task.Assignment, request, wanted, atLeast));
        return reply switch
        {
            RoomGiven given => given.Room,
            ImageRefused { Refusal.Kind: RefusalKind.Stale } => throw new LeaseLostException(),
            ImageRefused refused => throw new ImageException(ImageErrorKind.NoSpace, target.ToString(), refused.Refusal.Message),
            _ => throw new ImageException(ImageErrorKind.Io, target.ToString(), $"A request for room was answered by {reply.GetType().Name}"),
        };
    }

    public IEnumerable<ShardManifest> AskManifests(RunningTask task)
    {
        for (long? from = 0; from is not null;)
        {
            JobReply reply = AskUntilAnswered<JobReply>(task, jobs, new ListCopied(task.Task.JobId, from.Value));
            CopiedShards copied = reply switch
            {
                CopiedShards shards => shards,
                JobRefused { Refusal.Kind: RefusalKind.Stale } => throw new LeaseLostException(),
                _ => throw new ImageException(ImageErrorKind.Io, null, $"Job {task.Task.JobId} did not say what was copied: {reply}"),
            };
            foreach (ShardManifest manifest in copied.Manifests)
            {
                yield return manifest;
            }

            from = copied.Next;
        }
    }

    /// <summary>By way of the job, which knows whether this worker is still the one.</summary>
    public void TellImages(RunningTask task, GatheredPart part)
    {
        string migration = ((GatherSpec)task.Task.Spec).Migration;
        MigrationReply reply = AskUntilAnswered<MigrationReply>(task, jobs, new GatheredImages(
            task.Task.JobId, migration, task.Task.Assignment, part.From, part.Images, part.IsLast, part.Refusals));
        switch (reply)
        {
            case MigrationDone:
                break;
            case MigrationRefused { Refusal.Kind: RefusalKind.Stale }:
                throw new LeaseLostException();
            default:
                throw new ImageException(ImageErrorKind.Io, null, $"Migration {migration} did not take its images: {reply}");
        }
    }

    private T AskUntilAnswered<T>(RunningTask task, IActorRef actor, object question)
    {
        while (true)
        {
            task.Cancelled.ThrowIfCancellationRequested();
            task.Lease.Require();
            try
            {
                return actor.Ask<T>(question, askTimeout, task.Cancelled).GetAwaiter().GetResult();
            }
            catch (AskTimeoutException)
            {
                // Its actor moves to another node, or the journal is down: as long as the lease holds there is time.
            }
        }
    }
}
