using System.Collections.Immutable;
using Akka.Actor;
using Akka.Event;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Measuring;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Work.Running;

namespace ImageCluster.Cluster.Working;

/// <summary>
/// One a node: asks for as many tasks as it has free slots, runs each on a thread of its own, keeps their assignments renewed and reports
/// until the job has answered. A task whose assignment cannot be renewed stops writing when its lease ends by this node's own clock. Told to
/// stop, it hands back what it has and then stops.
/// </summary>
public sealed class WorkerActor : ReceiveActor, IWithTimers
{
    private readonly string _id;
    private readonly WorkerSettings _settings;
    private readonly IShardRunner _runner;
    private readonly IActorRef _scheduler;
    private readonly IActorRef _jobs;
    private readonly IActorRef _images;
    private readonly TimeProvider _time;
    private readonly TaskQuestions _questions;
    private readonly ImmutableSortedSet<string> _roots;
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Dictionary<(string JobId, long Assignment), RunningTask> _tasks = [];
    private readonly Dictionary<string, ReservedRate> _rates = new(StringComparer.Ordinal);
    private bool _stopping;

    /// <param name="id">Its name in assignments; another one after a restart of the node.</param>
    /// <param name="settings">Of this node.</param>
    /// <param name="runner">Does the shards.</param>
    /// <param name="scheduler">The scheduler, or a way to it.</param>
    /// <param name="jobs">The region of jobs.</param>
    /// <param name="images">The region of images.</param>
    /// <param name="time">The monotonic clock that leases are counted by.</param>
    public WorkerActor(string id, WorkerSettings settings, IShardRunner runner, IActorRef scheduler, IActorRef jobs, IActorRef images, TimeProvider time)
    {
        (_id, _settings, _runner, _scheduler, _jobs, _images, _time) = (id, settings, runner, scheduler, jobs, images, time);
        _questions = new TaskQuestions(id, settings.AskTimeout, scheduler, jobs, images);
        _roots = settings.Roots.Keys.ToImmutableSortedSet(StringComparer.Ordinal);
        Receive<ShardTask>(Take);
        Receive<AbandonTask>(abandon => _tasks.GetValueOrDefault((abandon.JobId, abandon.Assignment))?.Cancel());
        Receive<Renewed>(Renewed_);
        Receive<Worked>(worked => GiveUpSlot(worked.Task));
        Receive<Ended>(Ended_);
        Receive<Reported>(Reported_);
        Receive<Heartbeat>(_ => Beat());
        Receive<StopRecord>(_ => Stop());
    }

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        Timers.StartPeriodicTimer(Heartbeat.Instance, Heartbeat.Instance, _settings.Heartbeat);
        WantWork();
    }

    // Also when this actor fails: its threads write nothing any more, and their shards are given out again when the assignments run out.
    protected override void PostStop()
    {
        foreach (RunningTask task in _tasks.Values)
        {
            task.Lease.Revoke();
            task.Cancel();
        }
    }

    private void Take(ShardTask task)
    {
        var running = new RunningTask(task, _time);
        if (_tasks.ContainsKey(running.Key))
        {
            return;
        }

        if (_stopping || FreeSlots == 0)
        {
            _jobs.Tell(new HandBack(task.JobId, default, task.Assignment));
            return;
        }

        _tasks.Add(running.Key, running);
        Renew(running);
    }

    private void Renew(RunningTask task)
    {
        task.IsAsking = true;
        long askedAt = _time.GetTimestamp();
        _jobs.Ask<JobReply>(new RenewAssignment(task.Task.JobId, default, task.Task.Assignment, default), _settings.AskTimeout)
            .PipeTo(Self, success: reply => new Renewed(task, askedAt, reply), failure: _ => new Renewed(task, askedAt, null));
    }

    private void Renewed_(Renewed renewed)
    {
        RunningTask task = renewed.Task;
        task.IsAsking = false;
        switch (renewed.Reply)
        {
            case AssignmentHeld held:
                task.Lease.Extend(renewed.AskedAt, held.Remaining);
                break;
            case not null:
                // The job has given it up.
                task.Lease.Revoke();
                task.Cancel();
                break;
        }

        if (task.HasStarted)
        {
            Report(task);
        }
        else if (task.Lease.Holds && !task.Cancelled.IsCancellationRequested)
        {
            Start(task);
        }
        else if (renewed.Reply is AssignmentHeld)
        {
            // Not begun, and not to be: nothing was written.
            task.HasStarted = true;
            Ended_(new Ended(task, new TaskEnd([], null, "", Permanent: false, IsLost: false, ScopeOf(task))));
        }
        else
        {
            Remove(task);
        }
    }

    private void Start(RunningTask task)
    {
        task.HasStarted = true;
        IActorRef self = Self;
        TaskThread.Start(task, _runner, ScopeOf(task), () => self.Tell(new Worked(task)), end => self.Tell(new Ended(task, end)));
    }

    private TaskScope ScopeOf(RunningTask task)
    {
        (TaskRate Rate, ReservedRate Reserved)[] rates = [.. task.Task.Rates.Select(rate => (rate, ReservedRateOf(rate)))];
        return new TaskScope(task.Lease, (request, wanted, atLeast) => _questions.AskRoom(task, request, wanted, atLeast), task.Cancelled)
        {
            Files = new TaskFiles(),
            AskManifests = () => _questions.AskManifests(task),
            TellImages = part => _questions.TellImages(task, part),
            Throttle = rates.Length == 0 ? null : bytes => Array.ForEach(rates, each =>
                each.Reserved.Take((long)bytes * each.Rate.Times, wanted => _questions.Reserve(task, each.Rate, wanted), task.Cancelled)),
        };
    }

    private ReservedRate ReservedRateOf(TaskRate rate)
    {
        if (!_rates.TryGetValue(rate.Name, out ReservedRate? reserved))
        {
            _rates.Add(rate.Name, reserved = new ReservedRate(_time));
        }

        return reserved;
    }

    private void Ended_(Ended ended)
    {
        (RunningTask task, TaskEnd end) = ended;
        task.End = end;
        GiveUpSlot(task);
        if (end.IsLost)
        {
            ClusterMeter.AssignmentLost();
            _log.Warning("Assignment {0} of job {1} ran out while it was worked on; it was stopped", task.Task.Assignment, task.Task.JobId);
            Remove(task);
            return;
        }

        // What is done first, then what failed, then what was not begun.
        foreach (JobCommand report in ReportsOf(task.Task, end))
        {
            task.Reports.Enqueue(report);
        }

        Report(task);
    }

    // While it is made durable and reported, its slot does the next.
    private void GiveUpSlot(RunningTask task)
    {
        if (task.HoldsSlot)
        {
            task.HoldsSlot = false;
            WantWork();
        }
    }

    private static IEnumerable<JobCommand> ReportsOf(ShardTask task, TaskEnd end)
    {
        if (end.Results.Count > 0)
        {
            yield return new CompleteShards(task.JobId, default, task.Assignment, [.. end.Results]);
        }

        if (end.FailedShard is { } shard)
        {
            yield return new FailShard(task.JobId, default, task.Assignment, shard, end.Reason, end.Permanent);
        }

        if (end.Results.Count + (end.FailedShard is null ? 0 : 1) < task.Shards.Count)
        {
            yield return new HandBack(task.JobId, default, task.Assignment);
        }
    }

    // Again with each heartbeat until the job has answered: every report may come twice.
    private void Report(RunningTask task)
    {
        if (task.IsAsking || !task.Reports.TryPeek(out JobCommand? report))
        {
            return;
        }

        task.IsAsking = true;
        _jobs.Ask<JobReply>(report, _settings.AskTimeout)
            .PipeTo(Self, success: reply => new Reported(task, reply), failure: _ => new Reported(task, null));
    }

    private void Reported_(Reported reported)
    {
        RunningTask task = reported.Task;
        task.IsAsking = false;
        if (reported.Reply is null)
        {
            return;
        }

        if (reported.Reply is JobRefused refused)
        {
            _log.Warning("Job {0} did not take the end of assignment {1}: {2}", task.Task.JobId, task.Task.Assignment, refused.Refusal.Message);
            if (refused.Refusal.Kind == RefusalKind.Invalid && task.Reports.Peek() is CompleteShards { Results: [var first, ..] } complete)
            {
                // It would not take them from anybody else either: it is to know why it gets no others.
                task.Reports.Clear();
                task.Reports.Enqueue(new FailShard(complete.JobId, default, complete.Assignment, first.Shard, refused.Refusal.Message, Permanent: false));
                task.Reports.Enqueue(new HandBack(complete.JobId, default, complete.Assignment));
                Report(task);
                return;
            }

            Remove(task);
            return;
        }

        task.Reports.Dequeue();
        if (task.Reports.Count > 0)
        {
            Report(task);
            return;
        }

        CloseRoom(task.Task, task.End!.Scope);
        Remove(task);
    }

    // Nobody waits for the answer: what is not closed now the job closes when the target is finished.
    private void CloseRoom(ShardTask task, TaskScope scope)
    {
        if (task.RoomOf is { } target && scope.Room is { } room)
        {
            _images.Tell(new CloseRoom(target, default, task.TargetToken, task.Assignment, room.CleanFrom));
        }
    }

    private void Beat()
    {
        foreach (RunningTask task in _tasks.Values.Where(task => !task.IsAsking).ToList())
        {
            if (task.End is null)
            {
                Renew(task);
            }
            else
            {
                Report(task);
            }
        }

        WantWork();
    }

    private void Remove(RunningTask task)
    {
        int before = FreeSlots;
        _tasks.Remove(task.Key);
        task.Dispose();
        foreach (string unused in _rates.Keys.Where(name => !_tasks.Values.Any(other => other.Task.Rates.Exists(rate => rate.Name == name))).ToList())
        {
            _rates.Remove(unused);
        }

        if (_stopping && _tasks.Count == 0)
        {
            Context.Stop(Self);
        }
        else if (FreeSlots > before)
        {
            WantWork();
        }
    }

    // A task that is only to be made durable and reported takes no slot, unless that goes on and on.
    private int FreeSlots => Math.Max(0, Math.Min(_settings.Slots - _tasks.Values.Count(task => task.HoldsSlot), MostTasks - _tasks.Count));

    private int MostTasks => _settings.Slots * 2;

    private void WantWork() => _scheduler.Tell(new WorkWanted(_id, _stopping ? 0 : FreeSlots, _roots) { Slots = _settings.Slots });

    private void Stop()
    {
        _stopping = true;
        WantWork();
        foreach (RunningTask task in _tasks.Values)
        {
            task.Cancel();
        }

        if (_tasks.Count == 0)
        {
            Context.Stop(Self);
        }
    }

    private sealed record Renewed(RunningTask Task, long AskedAt, JobReply? Reply) : INoSerializationVerificationNeeded;

    private sealed record Worked(RunningTask Task) : INoSerializationVerificationNeeded;

    private sealed record Ended(RunningTask Task, TaskEnd End) : INoSerializationVerificationNeeded;

    private sealed record Reported(RunningTask Task, JobReply? Reply) : INoSerializationVerificationNeeded;

    private sealed class Heartbeat : Tick<Heartbeat>;
}
