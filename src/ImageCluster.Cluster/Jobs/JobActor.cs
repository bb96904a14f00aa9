using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.Event;
using Akka.Persistence;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Messages;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Jobs;

/// <summary>
/// Keeps the record of one job and carries the job on: takes its images, has its shards done by workers, publishes them, gives the images back. Sharded
/// and remembered: after a restart of the cluster it goes on without being asked. As in <see cref="ImageActor"/>, nothing is answered that is not
/// stored, the actor brings in its own time, and where the journal fails it stops and begins again from the journal.
/// <para>
/// What it asks of images are steps (<see cref="JobSteps"/>), one at a time, that can be taken again after any crash.
/// </para>
/// </summary>
public sealed class JobActor : ReceivePersistentActor, IWithTimers
{
    private const int ManifestsInMessage = 500;

    // A job that no worker asked for in so long says whom it waits for.
    private static readonly TimeSpan WorkerWait = TimeSpan.FromSeconds(10);

    private readonly ImageClusterSettings _settings;
    private readonly RecordKeepers _keepers;
    private readonly RecordClock _clock;
    private readonly JobImages _images;
    private readonly JobOffers _offers;
    private readonly JobLeases _leases;
    private readonly Dictionary<string, IActorRef> _workers = new(StringComparer.Ordinal);
    private JobState _state = JobState.New;

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
    private bool _hasNews;
    private bool _directoryKnows;
    private bool _migrationKnows;

    /// <param name="jobId">The job's id, which is the entity's.</param>
    public JobActor(string jobId, ImageClusterSettings settings, RecordKeepers keepers, TimeProvider time)
    {
        PersistenceId = PersistenceIdOf(jobId);
        (_settings, _keepers, _clock) = (settings, keepers, new RecordClock(time));
        _images = new JobImages(jobId, keepers, settings, _clock);
        _offers = new JobOffers(keepers, settings);
        _leases = new JobLeases(settings.LeaseDuration);
        Recover<JobEvent>(e => _state = JobRecord.Apply(_state, e));
        Recover<RecoveryCompleted>(_ => StartAgain());
        Command<GiveWork>(Give);
        Command<CompleteShards>(Complete);
        Command<RenewAssignment>(Renew);
        Command<JobCommand>(Answer);
        Command<ListCopied>(ListCopied);
        Command<GatheredImages>(PassOn);
        Command<DescribeJob>(_ => Sender.Tell(_state.Spec is null ? Unknown() : JobSummaries.Describe(_state, _status)));
        Command<EntryNoted>(noted => _directoryKnows |= noted.HasEnded && _state.IsClosed);
        Command<MigrationReply>(_ => _migrationKnows |= _state.IsClosed);
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

    public ITimerScheduler Timers { get; set; } = null!;

    private string Id => _state.Id;

    public static string PersistenceIdOf(string jobId) => $"job-{jobId}";

    protected override void OnRecoveryFailure(Exception reason, object? message = null) =>
        Log.Error(reason, "The journal of {0} cannot be read: {1}", PersistenceId, reason.Message);

    private void StartAgain()
    {
        if (_state.Spec is null)
        {
            return;
        }

        // Nobody knows how long the actor was away: workers that it knew may still be at work for so long.
        _lastLoss = _clock.Now;
        Timers.StartPeriodicTimer(Beat.Instance, Beat.Instance, _settings.Heartbeat);
        Carry(new RestartAssignments(Id, _clock.Now), _ => Advance());
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
                (_directoryKnows, _migrationKnows, _hasNews) = (false, false, true);
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

    private void Changed(JobState before)
    {
        _hasNews = true;
        if (before.Stage != _state.Stage || before.StageIndex != _state.StageIndex || before.HasEnded != _state.HasEnded)
        {
            _offers.Pace.Forget();
            if (_state.Stage is StageKind.Copy or StageKind.Merge)
            {
                (_fillStarted, _fillClosed, _published) = (false, false, RangeSet.Empty);
            }
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

    // Goes on as far as it can: the next step, or work for workers.
    private void Advance()
    {
        if (_isStepping || _state.Spec is null)
        {
            return;
        }

        JobStep step = NextStep();
        switch (step)
        {
            case JobStep.Fail fail:
                Carry(new FailJob(Id, _clock.Now, fail.Reason), _ => Advance());
                return;
            case JobStep.Plan plan:
                Carry(new PlanJob(Id, _clock.Now, plan.JobPlan), refusal =>
                {
                    if (refusal is not null)
                    {
                        Fail(refusal.Message);
                    }

                    Advance();
                });
                return;
            case JobStep.Take take when !_state.Paused || !_state.Uses.IsEmpty:
                Step(step, _images.TakeAsync(take.Wanted, _state.Uses, take.Chains, _state.Spec.Operation));
                break;
            case JobStep.StartFill start:
                Step(step, _images.StartFillAsync(start.Target, start.Layout));
                break;
            case JobStep.CloseFill close when _clock.Now >= _lastLoss + Grace:
                Step(step, CloseFillAsync(close.Target, [.. _state.Copied.Values.Where(shard => !_published.Contains(shard.Result.Shard))]));
                break;
            case JobStep.CloseFill:
                Timers.StartSingleTimer(Retry.Instance, Retry.Instance, _settings.RetryAfter);
                break;
            case JobStep.Release release:
                Step(step, ReleaseAsync(release, [.. _state.Uses.Union(_leases.Uses)], _state));
                break;
        }

        Offer();
    }

    // A write that was on its way when its worker's lease ended has arrived by then.
    private TimeSpan Grace => _settings.AssignmentDuration / 10;

    private JobStep NextStep() => JobSteps.Next(_state, _leases.Has(_state), _fillStarted, _fillClosed);

    private void Step<T>(JobStep step, Task<T> task)
    {
        _isStepping = true;
        task.PipeTo(Self, success: result => new StepEnded(step, result, null), failure: e => new StepEnded(step, null, e));
    }

    private async Task<Refusal?> CloseFillAsync(JobUse target, IReadOnlyList<CompletedShard> shards) =>
        await _images.PublishAsync(target, shards.ToLookup(shard => shard.Assignment, shard => shard.Result)).ConfigureAwait(false)
            ?? await _images.CloseRoomsAsync(target).ConfigureAwait(false);

    private async Task<Refusal?> ReleaseAsync(JobStep.Release release, IReadOnlyList<JobUse> uses, JobState state)
    {
        JobEnd end = state.End!;
        bool isFilled = end.Outcome == JobOutcome.Succeeded && state.Plan!.Stages.Any(stage => stage.Kind == StageKind.Finish);
        if (isFilled && JobSteps.TargetOf(state) is { } target)
        {
            await _images.FinishAsync(target, state.Digest).ConfigureAwait(false);
        }

        return await _images.ReleaseAsync(uses, end, release.Stands).ConfigureAwait(false);
    }

    private void EndStep(StepEnded ended)
    {
        _isStepping = false;
        if (ended.Error is not null)
        {
            Wait(ended.Error is AskTimeoutException ? "an image's record does not answer" : ended.Error.Message);
            return;
        }

        switch (ended.Step, ended.Result)
        {
            case (JobStep.Take, UsesTried tried):
                Taken(tried);
                return;
            case (JobStep.Release, Refusal refusal):
                Wait(refusal.Message);
                return;
            case (JobStep.Release, _):
                Carry(new NoteReleased(Id, _clock.Now), _ =>
                {
                    _leases.Set([]);
                    Say();
                });
                return;
            case (_, Refusal { Kind: RefusalKind.NotQuiet } refusal):
                Wait(refusal.Message);
                return;
            case (_, Refusal refusal):
                Fail(refusal.Message);
                return;
            case (JobStep.StartFill, _):
                _fillStarted = true;
                break;
            case (JobStep.CloseFill, _):
                _fillClosed = true;
                break;
        }

        Advance();
    }

    private void Taken(UsesTried tried)
    {
        if (tried.Refusal is { } refusal)
        {
            NotTaken(refusal);
            return;
        }

        _waitsSince = null;
        _status = "";
        _leases.Set(tried.Taken);
        ImmutableList<JobUse> uses = [.. tried.Taken.Select(lease => lease.Use)];
        if (uses.SequenceEqual(_state.Uses) || _state.HasEnded)
        {
            Advance();
            return;
        }

        // Between two leases of its own somebody else may have changed the image.
        if (_state.Plan is not null && uses.FirstOrDefault(use => _state.Uses.Find(old => old.Image == use.Image) is { } old && use.Token > old.Token + 1) is { } gap)
        {
            Carry(new NoteUses(Id, _clock.Now, uses), _ => Fail($"{gap.Image} was used by others after the job's lease on it had run out"));
            return;
        }

        JobCommand note = _state.Plan is null && _state.Probed.Length > 0
            ? new ProbeAgain(Id, _clock.Now, uses)
            : new NoteUses(Id, _clock.Now, uses);
        Carry(note, refused =>
        {
            if (refused is null)
            {
                Advance();
            }
            else
            {
                Wait(refused.Message);
            }
        });
    }

    private void NotTaken(Refusal refusal)
    {
        _waitsSince ??= _clock.Now;
        if (refusal.Kind is not (RefusalKind.InUse or RefusalKind.NotQuiet))
        {
            Fail(refusal.Message);
        }
        else if (_clock.Now - _waitsSince >= _settings.ImageWait)
        {
            Fail($"{refusal.Message}; the job waited for {_settings.ImageWait:c}");
        }
        else
        {
            Wait($"waits: {refusal.Message}");
        }
    }

    private void Wait(string why)
    {
        _hasNews |= _status != why;
        _status = why;
        Timers.StartSingleTimer(Retry.Instance, Retry.Instance, _settings.RetryAfter);
        Offer();
    }

    private void Fail(string reason) => Carry(new FailJob(Id, _clock.Now, reason), _ => Advance());

    private void Offer()
    {
        if (_state.Spec is not null && !_state.IsClosed)
        {
            _offers.Tell(_state, TasksToGive());
        }
    }

    private long TasksToGive() => _isStepping || _state.Paused || _state.Pending.IsEmpty || _clock.Now < _notBefore || NextStep() is not JobStep.Offer
        ? 0
        : _offers.Tasks(_state);

    private void Give(GiveWork gift)
    {
        IActorRef worker = Sender;
        _offers.LastGiven = Math.Max(_offers.LastGiven, gift.Number);
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
                worker.Tell(TaskOf(_state.Assignments[_state.LastAssignment]));
            }

            Offer();
        });
    }

    private ShardTask TaskOf(Assignment assignment)
    {
        JobUse? target = JobSteps.TargetOf(_state) ?? _state.Uses.Find(use => UseRule.IsExclusive(use.Purpose));
        bool isFilling = _state.Plan is not null && _state.Layout.Length > 0;
        return new ShardTask(Id, assignment.Token, _state.Stage, assignment.Shards, _state.Spec!, _state.Plan,
            isFilling ? JobSteps.LayoutOf(_state) : null, target?.Token ?? 0)
        {
            BytesPerSecond = JobOffers.RateOf(_state),
        };
    }

    private void Renew(RenewAssignment renew)
    {
        IActorRef sender = Sender;
        if (_state.Unneeded.FirstOrDefault(assignment => assignment.Token == renew.Assignment) is { } unneeded && !_workers.ContainsKey(unneeded.Worker))
        {
            sender.Tell(new JobRefused(renew.JobId, new Refusal(RefusalKind.Stale, $"job {Id} does not need assignment {renew.Assignment} any more")));
            return;
        }

        Carry(renew with { At = _clock.Now, UsableUntil = _leases.UsableUntil(_state, _clock.Now) }, refusal =>
        {
            TimeSpan left = refusal is null ? _state.Assignments[renew.Assignment].Deadline - _clock.Now : TimeSpan.Zero;
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
        if (JobSteps.FindingProblem(_state.Stage, complete.Results) is { } problem)
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
                Publish(target, complete.Assignment, open, sender);
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

        ShardManifest[] manifests = [.. _state.Copied.Values.Where(shard => shard.Result.Shard >= list.From).Select(shard => shard.Result.Manifest)
            .OfType<ShardManifest>().Take(ManifestsInMessage + 1)];
        Sender.Tell(new CopiedShards(Id, [.. manifests.Take(ManifestsInMessage)], manifests.Length > ManifestsInMessage ? manifests[^1].Shard : null));
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
        if (_hasNews)
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
        _hasNews |= status != _status;
        _status = status;
    }

    private void RenewLeases()
    {
        IReadOnlyList<JobUse> due = _leases.Due(_clock.Now);
        if (due.Count > 0 && !_isRenewing && !_state.HasEnded)
        {
            _isRenewing = true;
            _images.RenewAsync(due).PipeTo(Self, success: renewed => new RenewalEnded(renewed), failure: _ => new RenewalEnded(new UsesRenewed([], [])));
        }
    }

    private void EndRenewal(RenewalEnded ended)
    {
        _isRenewing = false;
        _leases.Renewed(ended.Renewed.Held);
        if (ended.Renewed.Lost.FirstOrDefault() is { } lost && _state.End is null)
        {
            Fail(lost.Message);
        }
    }

    // To those who keep lists.
    private void Say()
    {
        if (_state.Spec is null || (_directoryKnows && (_migrationKnows || _state.Settings.Migration.Length == 0)))
        {
            Timers.Cancel(Beat.Instance);
            return;
        }

        _hasNews = false;
        JobSummary summary = JobSummaries.Of(_state, _status);
        _keepers.Directory().Tell(new NoteJob(summary));
        // Behind the end a migration may go on with what needs these images: they must be free.
        if (_state.Settings.Migration.Length > 0 && _state.HasEnded == _state.IsClosed)
        {
            _keepers.Migrations().Tell(new ReportJob(_state.Settings.Migration, summary));
        }
    }

    private void RestIfDone()
    {
        if (_state.Spec is null || (_state.IsClosed && _directoryKnows && (_migrationKnows || _state.Settings.Migration.Length == 0)))
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

    private sealed record StepEnded(JobStep Step, object? Result, Exception? Error) : INoSerializationVerificationNeeded;

    private sealed record Published(IReadOnlyList<ShardResult> Results, IActorRef Worker, Refusal? Refusal, Exception? Error) : INoSerializationVerificationNeeded;

    private sealed record RenewalEnded(UsesRenewed Renewed) : INoSerializationVerificationNeeded;

    /// <summary>An assignment may have run out.</summary>
    private sealed class Deadline : INotInfluenceReceiveTimeout, INoSerializationVerificationNeeded
    {
        public static readonly TimeSpan AtLeast = TimeSpan.FromMilliseconds(10);

        public static Deadline Instance { get; } = new();
    }

    private sealed class Retry : INotInfluenceReceiveTimeout, INoSerializationVerificationNeeded
    {
        public static Retry Instance { get; } = new();
    }

    private sealed class Beat : INotInfluenceReceiveTimeout, INoSerializationVerificationNeeded
    {
        public static Beat Instance { get; } = new();
    }
}
