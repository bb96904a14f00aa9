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
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Migrations;

/// <summary>
/// Keeps the record of one migration: has its images gathered by a worker, then a job for each, a base before what stands on it. Sharded and remembered:
/// after a restart of the cluster it goes on without being asked. What is not stored is not answered, as with <see cref="ImageActor"/>.
/// </summary>
public sealed partial class MigrationActor : ReceivePersistentActor, IWithTimers
{
    private readonly ImageClusterSettings _settings;
    private readonly RecordKeepers _keepers;
    private readonly RecordClock _clock;
    private readonly string _id;
    private readonly GatheredPlanParts _parts = new();
    private readonly Dictionary<int, JobSummary> _progress = [];

    // What jobs in work are known to have been told, by job; what is on its way to them.
    private readonly Dictionary<string, Wish> _told = new(StringComparer.Ordinal);
    private readonly HashSet<string> _telling = new(StringComparer.Ordinal);
    private MigrationState _state = MigrationState.New;
    private string? _unreadable;
    private MigrationJobs? _jobs;
    private bool _hasNews;
    private bool _directoryKnows;
    private bool _gatheringIsOver;

    /// <param name="migrationId">The migration's id, which is the entity's.</param>
    public MigrationActor(string migrationId, ImageClusterSettings settings, RecordKeepers keepers, TimeProvider time)
    {
        (_id, _settings, _keepers, _clock) = (migrationId, settings, keepers, new RecordClock(time));
        PersistenceId = PersistenceIdOf(migrationId);
        Recover<Unreadable>(e => _unreadable ??= e.Reason);
        Recover<MigrationEvent>(e => _state = MigrationRecord.Apply(_state, e));
        Recover<RecoveryCompleted>(_ => StartAgain());
        Command<object>(RefuseUnreadable, message => _unreadable is not null && message is not StopRecord);
        Command<object>(AnswerForgotten, message => _forgetters.Count > 0 && message is not StopRecord);
        Command<ForgetMigration>(Forget);
        Command<SubmitMigration>(RefuseAgain, _ => WasForgotten);
        Command<SubmitMigration>(Submit);
        Command<MigrationCommand>(Answer);
        Command<GatheredImages>(Gathered);
        Command<ReportJob>(Reported);
        Command<DescribeMigration>(_ => Sender.Tell(_state.Id.Length == 0 ? Unknown() : MigrationOverviews.Describe(_state, _progress)));
        Command<ListMigrationImages>(list => Sender.Tell(_state.Id.Length == 0 ? Unknown() : MigrationOverviews.List(_state, _progress, list)));
        Command<EntryNoted>(noted => _directoryKnows |= noted.HasEnded && _state.HasEnded);
        Command<JobTold>(Told);
        Command<Beat>(_ => OnBeat());
        Command<ReceiveTimeout>(_ => RestIfDone());
        Command<StopRecord>(_ => Context.Stop(Self));
        SetReceiveTimeout(settings.IdleAfter);
    }

    /// <summary>What a job in work is to do.</summary>
    private enum Wish
    {
        Run,
        Pause,
        Cancel,
    }

    public override string PersistenceId { get; }

    // There are no snapshots: nobody needs to look for one.
    public override Recovery Recovery { get; } = new(SnapshotSelectionCriteria.None);

    public ITimerScheduler Timers { get; set; } = null!;

    // Cancelled before there was a plan, it is over at once; who gathers is not.
    private bool MustStopGathering => _state is { IsPlanned: false, HasEnded: true, CancelledBy.Length: > 0 } && !_gatheringIsOver;

    private bool IsDone => _state.HasEnded && _directoryKnows && !MustStopGathering;

    private string Pauser => $"migration {_id}";

    public static string PersistenceIdOf(string migrationId) => $"migration-{migrationId}";

    protected override void OnRecoveryFailure(Exception reason, object? message = null)
    {
        ClusterMeter.JournalFailed("migration", "read");
        Log.Error(reason, "The journal of {0} cannot be read: {1}", PersistenceId, reason.Message);
    }

    protected override void OnPersistFailure(Exception cause, object @event, long sequenceNr)
    {
        ClusterMeter.JournalFailed("migration", "write");
        base.OnPersistFailure(cause, @event, sequenceNr);
    }

    protected override void OnPersistRejected(Exception cause, object @event, long sequenceNr)
    {
        ClusterMeter.JournalFailed("migration", "write");
        base.OnPersistRejected(cause, @event, sequenceNr);
    }

    private void StartAgain()
    {
        if (_state.Id.Length > 0 && _unreadable is null)
        {
            _jobs = new MigrationJobs(_id, ManifestParser.Parse(_state.Manifest), _settings);
            StartBeating();
            Advance();
        }
    }

    // What it does not know of might forbid anything: it does nothing and says why. Jobs that report repeat it until there is a program that knows.
    private void RefuseUnreadable(object message)
    {
        if (message is MigrationCommand or DescribeMigration or ListMigrationImages or GatheredImages)
        {
            Sender.Tell(new MigrationRefused(_id, new Refusal(RefusalKind.Conflict, $"the record of migration {_id} cannot be read: {_unreadable}")));
        }
    }

    private void StartBeating()
    {
        (_directoryKnows, _hasNews) = (false, true);
        Timers.StartPeriodicTimer(Beat.Instance, Beat.Instance, _settings.Heartbeat);
    }

    private void Submit(SubmitMigration submit)
    {
        try
        {
            MigrationManifest manifest = ManifestParser.Parse(submit.Manifest);
            if (MigrationJobs.Problem(manifest) is { } problem)
            {
                Refuse(new Refusal(RefusalKind.Invalid, problem));
                return;
            }

            _jobs ??= new MigrationJobs(_id, manifest, _settings);
        }
        catch (ManifestException e)
        {
            Refuse(new Refusal(RefusalKind.Invalid, string.Join("\n", e.Errors.Select(error => error.ToString()))));
            return;
        }

        Carry(submit, StartBeating);
    }

    private void Answer(MigrationCommand command)
    {
        if (command is not (PauseMigration or ResumeMigration or CancelMigration or RetryImages))
        {
            Refuse(new Refusal(RefusalKind.Invalid, "only the migration's actor says that"));
            return;
        }

        Carry(command, StartBeating);
    }

    // A command of somebody who waits for the answer.
    private void Carry(MigrationCommand command, Action? then = null)
    {
        IActorRef sender = Sender;
        Decision<MigrationEvent> decision = MigrationRecord.Decide(_state, command with { At = _clock.Now });
        if (decision.Refusal is { } refusal)
        {
            Refuse(refusal);
            return;
        }

        Store(decision.Events, () =>
        {
            sender.Tell(new MigrationDone(_id));
            then?.Invoke();
            Advance();
        });
    }

    private void Refuse(Refusal refusal)
    {
        Sender.Tell(new MigrationRefused(_id, refusal));
        if (_state.Id.Length == 0)
        {
            Rest();
        }
    }

    private void Store(IReadOnlyList<MigrationEvent> events, Action stored)
    {
        int left = events.Count;
        if (left == 0)
        {
            stored();
            return;
        }

        PersistAll(events, e =>
        {
            _state = MigrationRecord.Apply(_state, e);
            if (--left == 0)
            {
                _hasNews = true;
                stored();
            }
        });
    }

    // Starts what may start, and tells every job in work what it has not heard yet.
    private void Advance()
    {
        if (_state.Id.Length == 0 || _jobs is null)
        {
            return;
        }

        if (!_state.IsPlanned && !_state.HasEnded)
        {
            Tell(MigrationJobs.GatherJobId(_id), () => _jobs.Gather(_state.Manifest));
        }
        else if (MustStopGathering && _telling.Add(MigrationJobs.GatherJobId(_id)))
        {
            Send(new CancelJob(MigrationJobs.GatherJobId(_id), default, _state.CancelledBy), Wish.Cancel);
        }

        if (_state is { IsPlanned: true, IsPaused: false, HasEnded: false, CancelledBy.Length: 0 } && _state.Running.Count < _jobs.MaxRunning)
        {
            Decision<MigrationEvent> start = MigrationRecord.Decide(_state, new StartImages(_id, _clock.Now, _jobs.MaxRunning));
            if (start.Events.Count > 0)
            {
                Store(start.Events, Advance);
                return;
            }
        }

        foreach (long index in _state.Running.Values())
        {
            MigratedImage image = _state.Images[(int)index];
            Tell(_state.JobIdOf(image), () => _jobs.Convert(_state, image));
        }

        if (_hasNews && (_state.HasEnded || _state.Running.IsEmpty))
        {
            Say();
        }
    }

    // One command at a time to each job; the next when it has answered.
    private void Tell(string jobId, Func<SubmitJob> submit)
    {
        Wish wish = _state.CancelledBy.Length > 0 ? Wish.Cancel : _state.IsPaused ? Wish.Pause : Wish.Run;
        bool isSubmitted = _told.TryGetValue(jobId, out Wish told);
        if ((isSubmitted && told == wish) || !_telling.Add(jobId))
        {
            return;
        }

        JobCommand command = !isSubmitted ? submit()
            : wish == Wish.Cancel ? new CancelJob(jobId, default, _state.CancelledBy)
            : wish == Wish.Pause ? new PauseJob(jobId, default, Pauser)
            : new ResumeJob(jobId, default, Pauser);
        Send(command, isSubmitted ? wish : Wish.Run);
    }

    private void Send(JobCommand command, Wish wish) => AskJob(command).PipeTo(Self,
        success: reply => new JobTold(command.JobId, wish, command is SubmitJob, reply),
        failure: _ => new JobTold(command.JobId, wish, command is SubmitJob, null));

    private async Task<JobReply> AskJob(JobCommand command)
    {
        JobReply reply = await _keepers.Jobs().Ask<JobReply>(command, _settings.AskTimeout).ConfigureAwait(false);
        if (command is not SubmitJob || reply is not JobRefused { Refusal.Kind: RefusalKind.Conflict })
        {
            return reply;
        }

        // Submitted by an earlier version that made something else of the manifest, it goes on: what comes of it is for it to report, unless it is over.
        JobReply found = await _keepers.Jobs().Ask<JobReply>(new DescribeJob(command.JobId), _settings.AskTimeout).ConfigureAwait(false);
        return found is JobDescription ? found : reply;
    }

    private void Told(JobTold told)
    {
        _telling.Remove(told.JobId);
        if (told.Reply is null)
        {
            // Again with the next beat.
            return;
        }

        _told[told.JobId] = told.Wish;
        _gatheringIsOver |= told.Wish == Wish.Cancel && told.JobId == MigrationJobs.GatherJobId(_id);
        if (told is { IsSubmission: true, Reply: JobRefused refused })
        {
            Over(told.JobId, new ImageResult(JobOutcome.Failed, refused.Refusal.Message, "", 0, 0), Advance);
            return;
        }

        if (told is { IsSubmission: true, Reply: JobDescription { Summary: { Outcome: { } outcome } job } })
        {
            _told.Remove(told.JobId);
            Over(told.JobId, ResultOf(job, outcome), Advance);
            return;
        }

        Advance();
    }

    private static ImageResult ResultOf(JobSummary job, JobOutcome outcome) => new(outcome, job.Reason, job.Digest, job.BytesRead, job.BytesWritten);

    private void Reported(ReportJob report)
    {
        IActorRef sender = Sender;
        JobSummary job = report.Job;
        bool isImage = MigrationJobs.TryParse(_id, job.JobId, out int index, out _) && index < _state.Images.Count;
        if (job.Outcome is { } outcome)
        {
            _told.Remove(job.JobId);
            _gatheringIsOver |= job.JobId == MigrationJobs.GatherJobId(_id);
            _progress.Remove(isImage ? index : MigrationOverviews.Gathering);
            Over(job.JobId, ResultOf(job, outcome), () =>
            {
                sender.Tell(new MigrationDone(_id));
                Advance();
            });
            return;
        }

        if (isImage ? _state.JobIdOf(_state.Images[index]) == job.JobId : !_state.IsPlanned)
        {
            _progress[isImage ? index : MigrationOverviews.Gathering] = job;
            _hasNews = true;
        }

        // A job that missed it when its migration was resumed or cancelled.
        bool isLeftPaused = job.IsPaused && !_state.IsPaused && job.Reason == $"paused by {Pauser}";
        if (isLeftPaused && _told.GetValueOrDefault(job.JobId) == Wish.Run)
        {
            _keepers.Jobs().Tell(new ResumeJob(job.JobId, default, Pauser));
        }
        else if (!isImage && _state.HasEnded)
        {
            _keepers.Jobs().Tell(new CancelJob(job.JobId, default, _state.CancelledBy));
        }
    }

    private void Over(string jobId, ImageResult result, Action then)
    {
        MigrationCommand? command = null;
        if (MigrationJobs.TryParse(_id, jobId, out int index, out int attempt))
        {
            command = new EndImage(_id, _clock.Now, index, attempt, result);
        }
        else if (!_state.IsPlanned && !_state.HasEnded)
        {
            // Who gathers tells the plan before it ends: there is none.
            command = new RefusePlan(_id, _clock.Now, [result.Reason.Length > 0 ? result.Reason : "the images were not gathered"]);
        }

        Store(command is null ? [] : MigrationRecord.Decide(_state, command).Events, then);
    }

    private void Gathered(GatheredImages part)
    {
        if (_state.IsPlanned || _state.Id.Length == 0 || _state.HasEnded)
        {
            // The last part again, whose answer was lost.
            Sender.Tell(_state.IsPlanned || !_state.Refusals.IsEmpty
                ? new MigrationDone(_id)
                : new MigrationRefused(_id, new Refusal(RefusalKind.Conflict, $"migration {_id} is over")));
            return;
        }

        IActorRef sender = Sender;
        if (_parts.Add(part) is { } refusal)
        {
            sender.Tell(new MigrationRefused(_id, refusal));
            return;
        }

        if (!part.IsLast)
        {
            sender.Tell(new MigrationDone(_id));
            return;
        }

        Decision<MigrationEvent> decision = part.Refusals.IsEmpty
            ? _parts.Complete(_state, _clock.Now)
            : MigrationRecord.Decide(_state, new RefusePlan(_id, _clock.Now, part.Refusals));
        if (decision.Refusal is { } refused)
        {
            sender.Tell(new MigrationRefused(_id, refused));
            return;
        }

        Store(decision.Events, () =>
        {
            sender.Tell(new MigrationDone(_id));
            Advance();
        });
    }

    private void OnBeat()
    {
        Advance();
        if (_hasNews || _state.HasEnded)
        {
            Say();
        }
    }

    private void Say()
    {
        if (IsDone)
        {
            Timers.Cancel(Beat.Instance);
            return;
        }

        _hasNews = false;
        _keepers.Directory().Tell(new NoteMigration(MigrationOverviews.Of(_state, _progress)));
    }

    private void RestIfDone()
    {
        if (_state.Id.Length == 0 || IsDone)
        {
            Rest();
        }
    }

    private static void Rest() => Context.Parent.Tell(new Passivate(StopRecord.Instance));

    private MigrationRefused Unknown()
    {
        Rest();
        return new MigrationRefused(_id, new Refusal(RefusalKind.Unknown, $"there is no migration {_id}"));
    }

    private sealed record JobTold(string JobId, Wish Wish, bool IsSubmission, JobReply? Reply) : INoSerializationVerificationNeeded;

    private sealed class Beat : Tick<Beat>;
}
