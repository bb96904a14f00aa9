using Akka.Actor;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Records;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Migrations;

/// <summary>
/// Keeps the record of one migration: has its images gathered by a worker, then a job for each, a base before what stands on it. Sharded and remembered:
/// after a restart of the cluster it goes on without being asked. What is not stored is not answered.
/// </summary>
public sealed partial class MigrationActor : RecordActor
{
    private readonly ImageClusterSettings _settings;
    private readonly RecordKeepers _keepers;
    private readonly string _id;
    private readonly GatheredPlanParts _parts = new();
    private readonly Dictionary<int, JobSummary> _progress = [];

    // What jobs in work are known to have been told, by job; what is on its way to them.
    private readonly Dictionary<string, Wish> _told = new(StringComparer.Ordinal);
    private readonly HashSet<string> _telling = new(StringComparer.Ordinal);
    private MigrationState _state = MigrationState.New;
    private MigrationJobs? _jobs;
    private bool _hasNews;
    private bool _directoryKnows;
    private bool _gatheringIsOver;

    /// <param name="migrationId">The migration's id, which is the entity's.</param>
    public MigrationActor(string migrationId, ImageClusterSettings settings, RecordKeepers keepers, TimeProvider time)
        : base("migration", PersistenceIdOf(migrationId), time)
    {
        (_id, _settings, _keepers) = (migrationId, settings, keepers);
        Replay<MigrationEvent>(e => _state = MigrationRecord.Apply(_state, e));
        Command<object>(AnswerForgotten, _ => _forgetters.Count > 0);
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
        SetReceiveTimeout(settings.IdleAfter);
    }

    protected override bool MayRest => WhyUnreadable is null && _forgetters.Count == 0 && (_state.Id.Length == 0 || IsDone);

    // Cancelled before there was a plan, it is over at once; who gathers is not.
    private bool MustStopGathering => _state is { IsPlanned: false, HasEnded: true, CancelledBy.Length: > 0 } && !_gatheringIsOver;

    private bool IsDone => _state.HasEnded && _directoryKnows && !MustStopGathering;

    private string Pauser => $"migration {_id}";

    public static string PersistenceIdOf(string migrationId) => $"migration-{migrationId}";

    protected override void Recovered()
    {
        if (_state.Id.Length > 0 && WhyUnreadable is null)
        {
            _jobs = new MigrationJobs(_id, ManifestParser.Parse(_state.Manifest), _settings);
            StartBeating();
            Advance();
        }
    }

    // Jobs that report repeat it until there is a program that knows.
    protected override object? RefusalOf(object message, string reason) => message is MigrationCommand or DescribeMigration or ListMigrationImages or GatheredImages
        ? new MigrationRefused(_id, new Refusal(RefusalKind.Conflict, $"the record of migration {_id} cannot be read: {reason}"))
        : null;

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
        Decision<MigrationEvent> decision = MigrationRecord.Decide(_state, command with { At = Clock.Now });
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

    private void Store(IReadOnlyList<MigrationEvent> events, Action stored) => Store(events, e => _state = MigrationRecord.Apply(_state, e), () =>
    {
        _hasNews |= events.Count > 0;
        stored();
    });

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
            Decision<MigrationEvent> start = MigrationRecord.Decide(_state, new StartImages(_id, Clock.Now, _jobs.MaxRunning));
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
            ? _parts.Complete(_state, Clock.Now)
            : MigrationRecord.Decide(_state, new RefusePlan(_id, Clock.Now, part.Refusals));
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

    private MigrationRefused Unknown()
    {
        Rest();
        return new MigrationRefused(_id, new Refusal(RefusalKind.Unknown, $"there is no migration {_id}"));
    }

    private sealed class Beat : Tick<Beat>;
}
