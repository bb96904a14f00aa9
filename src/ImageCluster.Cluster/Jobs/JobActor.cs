using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.Event;
using Akka.Persistence;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Measuring;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Serialization;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Jobs;

/// <summary>
/// Keeps the record of one job and carries the job on: takes its images, has its shards done by workers, publishes them, gives the images back. Sharded
/// and remembered: after a restart of the cluster it goes on without being asked. As in <see cref="ImageActor"/>, nothing is answered that is not
/// stored, the actor brings in its own time, and where the journal fails it stops and begins again from the journal.
/// <para>
/// What it asks of images are steps (<see cref="JobSteps"/>), one at a time, that can be taken again after any crash.
/// </para>
/// </summary>
public sealed partial class JobActor : ReceivePersistentActor, IWithTimers
{
    // A job that no worker asked for in so long says whom it waits for.
    private static readonly TimeSpan WorkerWait = TimeSpan.FromSeconds(10);

    private readonly ImageClusterSettings _settings;
    private readonly RecordKeepers _keepers;
    private readonly RecordClock _clock;
    private readonly JobImages _images;
    private readonly JobOffers _offers;
    private readonly JobLeases _leases;
    private readonly JobVoice _voice;
    private readonly Dictionary<string, IActorRef> _workers = new(StringComparer.Ordinal);
    private JobState _state = JobState.New;
    private string? _unreadable;

    // Known since the start, and found out again after the next.
    private RangeSet _published = RangeSet.Empty;
    private bool _fillStarted;
    private bool _fillClosed;
    private Instant _lastLoss;
    private Instant? _waitsSince;
    private Instant _notBefore;
    private string _status = "";
    private bool _isStepping;
    private bool _isRenewing;
    private Instant _offeredSince;
    private string _countedAs = "";

    /// <param name="jobId">The job's id, which is the entity's.</param>
    public JobActor(string jobId, ImageClusterSettings settings, RecordKeepers keepers, TimeProvider time)
    {
        PersistenceId = PersistenceIdOf(jobId);
        (_settings, _keepers, _clock) = (settings, keepers, new RecordClock(time));
        _images = new JobImages(jobId, keepers, settings, _clock);
        _offers = new JobOffers(keepers, settings);
        _leases = new JobLeases(settings.LeaseDuration);
        _voice = new JobVoice(keepers);
        _offeredSince = _clock.Now;
        Recover<Unreadable>(e => _unreadable ??= e.Reason);
        Recover<JobEvent>(e => _state = JobRecord.Apply(_state, e));
        Recover<RecoveryCompleted>(_ => StartAgain());
        Command<object>(RefuseUnreadable, message => _unreadable is not null && message is not StopRecord);
        Command<object>(AnswerForgotten, message => _forgetters.Count > 0 && message is not StopRecord);
        Command<ForgetJob>(Forget);
        Command<SubmitJob>(RefuseAgain, _ => WasForgotten);
        Command<GiveWork>(Give);
        Command<CompleteShards>(Complete);
        Command<RenewAssignment>(Renew);
        Command<JobCommand>(Answer);
        Command<ListCopied>(ListCopied);
        Command<GatheredImages>(PassOn);
        Command<DescribeJob>(_ => Sender.Tell(_state.Spec is null ? Unknown() : JobSummaries.Describe(_state, _status)));
        Command<EntryNoted>(noted => _voice.Heard(noted, _state));
        Command<MigrationReply>(_ => _voice.Heard(_state));
        Command<StepEnded>(EndStep);
        Command<Published>(EndPublishing);
        Command<RenewalEnded>(EndRenewal);
        Command<Deadline>(_ => Expire());
        Command<Retry>(_ => Advance());
        Command<Beat>(_ => OnBeat());
        Command<ReceiveTimeout>(_ => RestIfDone());
        Command<StopRecord>(_ => Context.Stop(Self));
        SetReceiveTimeout(settings.IdleAfter);
    }

    public override string PersistenceId { get; }

    // There are no snapshots: nobody needs to look for one.
    public override Recovery Recovery { get; } = new(SnapshotSelectionCriteria.None);

    public ITimerScheduler Timers { get; set; } = null!;

    private string Id => _state.Id;

    public static string PersistenceIdOf(string jobId) => $"job-{jobId}";

    protected override void OnRecoveryFailure(Exception reason, object? message = null)
    {
        ClusterMeter.JournalFailed("job", "read");
        Log.Error(reason, "The journal of {0} cannot be read: {1}", PersistenceId, reason.Message);
    }

    protected override void OnPersistFailure(Exception cause, object @event, long sequenceNr)
    {
        ClusterMeter.JournalFailed("job", "write");
        base.OnPersistFailure(cause, @event, sequenceNr);
    }

    protected override void OnPersistRejected(Exception cause, object @event, long sequenceNr)
    {
        ClusterMeter.JournalFailed("job", "write");
        base.OnPersistRejected(cause, @event, sequenceNr);
    }

    protected override void PostStop() => CountAs("");

    private void StartAgain()
    {
        CountAs(StateNow);
        if (_state.Spec is null || _unreadable is not null)
        {
            return;
        }

        // Nobody knows how long the actor was away: workers that it knew may still be at work for so long.
        _lastLoss = _clock.Now;
        Timers.StartPeriodicTimer(Beat.Instance, Beat.Instance, _settings.Heartbeat);
        Carry(new RestartAssignments(Id, _clock.Now), _ => Advance());
    }

    // What it does not know of might forbid anything: it does nothing and says why.
    private void RefuseUnreadable(object message)
    {
        string id = PersistenceId["job-".Length..];
        var refusal = new Refusal(RefusalKind.Conflict, $"the record of job {id} cannot be read: {_unreadable}");
        switch (message)
        {
            case JobCommand or DescribeJob or Messages.ListCopied:
                Sender.Tell(new JobRefused(id, refusal));
                break;
            case GatheredImages gathered:
                Sender.Tell(new MigrationRefused(gathered.MigrationId, refusal));
                break;
        }
    }

    // Commands of others, but for those that need more than a decision.
    private void Answer(JobCommand command)
    {
        IActorRef sender = Sender;
        if (command is not (SubmitJob or PauseJob or ResumeJob or CancelJob or FailShard or HandBack))
        {
            sender.Tell(new JobRefused(command.JobId, new Refusal(RefusalKind.Invalid, "only the job's actor says that")));
            return;
        }

        Carry(command with { At = _clock.Now }, refusal =>
        {
            sender.Tell(refusal is null ? new JobDone(command.JobId) : new JobRefused(command.JobId, refusal));
            if (command is SubmitJob && refusal is null)
            {
                // Somebody who asks again may have missed the end.
                _voice.Forget();
                Timers.StartPeriodicTimer(Beat.Instance, Beat.Instance, _settings.Heartbeat);
                Say();
            }
            else if (command is FailShard { Permanent: false } failed && refusal is null)
            {
                // Trouble that passes is given time to.
                int failures = _state.Troubles.GetValueOrDefault(failed.Shard)?.Failures ?? 0;
                _notBefore = _clock.Now + (_settings.RetryAfter * failures);
                Timers.StartSingleTimer(Retry.Instance, Retry.Instance, _settings.RetryAfter * failures);
            }

            Advance();
        });
        if (_state.Spec is null && command is not SubmitJob)
        {
            Rest();
        }
    }

    private void Carry(JobCommand command, Action<Refusal?> then)
    {
        Decision<JobEvent> decision = JobRecord.Decide(_state, command);
        int left = decision.Events.Count;
        if (left == 0)
        {
            then(decision.Refusal);
            return;
        }

        JobState before = _state;
        PersistAll(decision.Events, e =>
        {
            _state = JobRecord.Apply(_state, e);
            if (--left == 0)
            {
                Changed(before);
                then(null);
            }
        });
    }

    // What it is counted as among this node's jobs; empty where it is over.
    private string StateNow => _state.Spec is null || _state.HasEnded ? "" : JobSummaries.Of(_state, "").State;

    private void CountAs(string state)
    {
        if (state != _countedAs)
        {
            if (_countedAs.Length > 0)
            {
                ClusterMeter.CountJob(_countedAs, -1);
            }

            if (state.Length > 0)
            {
                ClusterMeter.CountJob(state, 1);
            }

            _countedAs = state;
        }
    }

    private void Changed(JobState before)
    {
        _voice.HasNews = true;
        CountAs(StateNow);
        if (!before.HasEnded && _state is { HasEnded: true, End.Outcome: var outcome, Spec.Operation: var operation })
        {
            ClusterMeter.JobEnded(operation, outcome);
        }

        if (before.Stage != _state.Stage || before.StageIndex != _state.StageIndex || before.HasEnded != _state.HasEnded)
        {
            _offers.Pace.Forget();
            if (_state.Stage is StageKind.Copy or StageKind.Merge)
            {
                (_fillStarted, _fillClosed, _published) = (false, false, RangeSet.Empty);
            }
        }

        if (!before.HasEnded && _state is { HasEnded: true, End: { Outcome: JobOutcome.Failed } end, Spec: { } spec })
        {
            Log.Warning("Job {0} ({1}) failed: {2}", Id, spec.Operation, end.Reason);
        }

        foreach (Assignment assignment in _state.Unneeded)
        {
            _workers.GetValueOrDefault(assignment.Worker)?.Tell(new AbandonTask(Id, assignment.Token));
        }

        if (_state.NextDeadline is { } deadline)
        {
            TimeSpan wait = deadline - _clock.Now;
            Timers.StartSingleTimer(Deadline.Instance, Deadline.Instance, wait > Deadline.AtLeast ? wait : Deadline.AtLeast);
        }
        else
        {
            Timers.Cancel(Deadline.Instance);
        }

        if (before.Phase != _state.Phase || before.Stage != _state.Stage || before.Paused != _state.Paused)
        {
            Say();
        }
    }

    private void Expire()
    {
        long before = _state.Assignments.Count;
        Carry(new ExpireAssignments(Id, _clock.Now), _ =>
        {
            _lastLoss = _state.Assignments.Count < before ? _clock.Now : _lastLoss;
            Advance();
        });
    }

    private void Offer()
    {
        if (_state.Spec is not null && !_state.IsClosed)
        {
            _offers.Tell(_state, TasksToGive());
        }
    }

    private long TasksToGive() => _isStepping || _state.Paused || _state.Pending.IsEmpty || _clock.Now < _notBefore || NextStep() is not JobStep.Offer
        // A lease that cannot be renewed just now: whoever was given a task could not begin it.
        || _leases.UsableUntil(_state, _clock.Now) <= _clock.Now
        ? 0
        : _offers.Tasks(_state);

    private void Give(GiveWork gift)
    {
        IActorRef worker = Sender;
        _offers.LastGiven = Math.Max(_offers.LastGiven, gift.Number);
        _offers.Pace.NoteShare(gift.Share);
        _offeredSince = _clock.Now;
        if (TasksToGive() == 0)
        {
            Offer();
            return;
        }

        Carry(new StartShards(Id, _clock.Now, gift.Worker, _offers.Pace.Shards(_state), _settings.AssignmentDuration, _leases.UsableUntil(_state, _clock.Now)), refusal =>
        {
            if (refusal is null)
            {
                _workers[gift.Worker] = worker;
                worker.Tell(JobOffers.TaskOf(_state, _state.Assignments[_state.LastAssignment]));
            }

            Offer();
        });
    }

    private void Renew(RenewAssignment renew)
    {
        IActorRef sender = Sender;
        if (_state.Unneeded.FirstOrDefault(assignment => assignment.Token == renew.Assignment) is { } unneeded && !_workers.ContainsKey(unneeded.Worker))
        {
            sender.Tell(new JobRefused(renew.JobId, new Refusal(RefusalKind.Stale, $"job {Id} does not need assignment {renew.Assignment} any more")));
            return;
        }

        Instant usable = _leases.UsableUntil(_state, _clock.Now);
        Carry(renew with { At = _clock.Now, UsableUntil = usable }, refusal =>
        {
            // The deadline after a restart is how long a worker may still be at work, not how long it may: that the images' leases say, when they are known again.
            TimeSpan left = refusal is null ? Instant.Min(_state.Assignments[renew.Assignment].Deadline, usable) - _clock.Now : TimeSpan.Zero;
            sender.Tell(refusal is null
                ? new AssignmentHeld(renew.JobId, renew.Assignment, left > TimeSpan.Zero ? left : TimeSpan.Zero)
                : new JobRefused(renew.JobId, refusal));
        });
    }

    // Stored first, so that nobody does these shards again; then published; then answered, upon which the worker closes its room.
    private void Complete(CompleteShards complete)
    {
        IActorRef sender = Sender;
        Instant now = _clock.Now;
        Assignment? assignment = _state.Assignments.GetValueOrDefault(complete.Assignment);
        int stage = _state.StageIndex;
        bool fills = _state.Stage is StageKind.Copy or StageKind.Merge;
        if (assignment is not null && JobSteps.FindingProblem(_state.Stage, complete.Results) is { } problem)
        {
            sender.Tell(new JobRefused(complete.JobId, new Refusal(RefusalKind.Invalid, problem)));
            return;
        }

        Carry(complete with { At = now }, refusal =>
        {
            if (refusal is not null)
            {
                sender.Tell(new JobRefused(complete.JobId, refusal));
                return;
            }

            if (assignment is not null && stage == _state.StageIndex)
            {
                _offers.Pace.Note(now - assignment.StartedAt, complete.Results.Count);
            }

            ShardResult[] open = [.. complete.Results.Where(result => Done(complete.Assignment, result.Shard) && !_published.Contains(result.Shard))];
            if (open.Length > 0 && (fills || _state.Stage is StageKind.Finish) && JobSteps.TargetOf(_state) is { } target)
            {
                // After a restart the target's lease may be another one: the worker asks again, and is answered when it is known.
                if (_leases.Has(_state))
                {
                    Publish(target, complete.Assignment, open, sender);
                }
            }
            else
            {
                sender.Tell(new JobDone(complete.JobId));
            }

            Advance();
        });
    }

    private bool Done(long assignment, long shard) =>
        (_state.Completed.GetValueOrDefault(shard) ?? _state.Copied.GetValueOrDefault(shard))?.Assignment == assignment;

    private void Publish(JobUse target, long assignment, IReadOnlyList<ShardResult> results, IActorRef worker) =>
        _images.PublishAsync(target, results.ToLookup(_ => assignment)).PipeTo(Self,
            success: refusal => new Published(results, worker, refusal, null),
            failure: e => new Published(results, worker, null, e));

    private void EndPublishing(Published published)
    {
        if (published.Error is not null)
        {
            // The worker asks again; before the target is finished the rest is published anyhow.
            return;
        }

        if (published.Refusal is { } refusal)
        {
            Fail(refusal.Message);
        }
        else
        {
            _published = published.Results.Aggregate(_published, (set, result) => set.Add(result.Shard));
        }

        published.Worker.Tell(new JobDone(Id));
        Advance();
    }

    private void ListCopied(ListCopied list)
    {
        if (_state.Stage != StageKind.Finish || _state.HasEnded)
        {
            Sender.Tell(new JobRefused(list.JobId, new Refusal(RefusalKind.Stale, $"job {list.JobId} is not finishing a target")));
            return;
        }

        Sender.Tell(JobSummaries.CopiedFrom(_state, list.From));
    }

    private void PassOn(GatheredImages gathered)
    {
        if (_state.Assignments.ContainsKey(gathered.Assignment) && _state.Spec is GatherSpec gather && gather.Migration == gathered.MigrationId)
        {
            _keepers.Migrations().Forward(gathered);
        }
        else
        {
            Sender.Tell(new MigrationRefused(gathered.MigrationId, new Refusal(RefusalKind.Stale, $"job {gathered.JobId}: assignment {gathered.Assignment} has ended")));
        }
    }

    private void OnBeat()
    {
        if (_state.IsClosed)
        {
            Say();
            return;
        }

        RenewLeases();
        // Again, whether or not it is new: the scheduler may be.
        _offers.TellAgain();
        SayWhomItWaitsFor();
        Advance();
        if (_voice.HasNews)
        {
            Say();
        }
    }

    private void SayWhomItWaitsFor()
    {
        bool waits = TasksToGive() > 0 && _state.Assignments.IsEmpty;
        _offeredSince = waits ? _offeredSince : _clock.Now;
        string status = waits && _clock.Now - _offeredSince >= WorkerWait
            ? $"waits for a free worker that reaches {string.Join(", ", JobOffers.RootsOf(_state))}"
            : _status.StartsWith("waits for a free worker", StringComparison.Ordinal) ? "" : _status;
        _voice.HasNews |= status != _status;
        _status = status;
    }

    private void Say()
    {
        if (_state.Spec is null || _voice.IsDone(_state))
        {
            Timers.Cancel(Beat.Instance);
        }
        else
        {
            _voice.Say(_state, _status);
        }
    }

    private void RestIfDone()
    {
        if (_state.Spec is null || _voice.IsDone(_state))
        {
            Rest();
        }
    }

    private static void Rest() => Context.Parent.Tell(new Passivate(StopRecord.Instance));

    private JobRefused Unknown()
    {
        Rest();
        return new JobRefused(PersistenceId["job-".Length..], new Refusal(RefusalKind.Unknown, $"there is no job {PersistenceId["job-".Length..]}"));
    }

    private sealed record Published(IReadOnlyList<ShardResult> Results, IActorRef Worker, Refusal? Refusal, Exception? Error) : INoSerializationVerificationNeeded;

    private sealed class Deadline : Tick<Deadline>
    {
        public static readonly TimeSpan AtLeast = TimeSpan.FromMilliseconds(10);
    }

    private sealed class Retry : Tick<Retry>;

    private sealed class Beat : Tick<Beat>;
}
