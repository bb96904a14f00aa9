using System.Collections.Immutable;
using Akka.Actor;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Tests.Support;

/// <summary>A worker that gathers what it is told to find, in parts, and does nothing else.</summary>
internal sealed class FakeGatherer : ReceiveActor, IWithTimers
{
    private const int ImagesInPart = 2;

    public FakeGatherer(IActorRef scheduler, IActorRef jobs, ImmutableList<MigratedImage> images, ImmutableList<string> refusals)
    {
        Receive<string>(_ => scheduler.Tell(new WorkWanted("gatherer/1", 1, ["kvm", "vmware"]) { Slots = 1 }));
        Receive<JobReply>(_ => { });
        ReceiveAsync<ShardTask>(async task =>
        {
            if (task.Spec is not GatherSpec gather)
            {
                jobs.Tell(new HandBack(task.JobId, default, task.Assignment));
                return;
            }

            int from = 0;
            do
            {
                ImmutableList<MigratedImage> part = images.GetRange(from, Math.Min(ImagesInPart, images.Count - from));
                bool isLast = from + part.Count == images.Count;
                var message = new GatheredImages(task.JobId, gather.Migration, task.Assignment, from, part, isLast, isLast ? refusals : []);
                await TestNode.AskAsync<MigrationDone>(jobs, message);
                // Every part may come twice.
                await TestNode.AskAsync<MigrationDone>(jobs, message);
                from += part.Count;
            }
            while (from < images.Count);
            // It has done what it is there for.
            Timers.Cancel("want");
            scheduler.Tell(new WorkWanted("gatherer/1", 0, []));
            jobs.Tell(new CompleteShards(task.JobId, default, task.Assignment, [new ShardResult { Shard = 0 }]));
        });
    }

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart() => Timers.StartPeriodicTimer("want", "want", TimeSpan.FromMilliseconds(200));
}
