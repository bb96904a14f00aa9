using System.Collections.Immutable;
using Akka.Actor;
using Akka.Event;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Measuring;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Records;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Jobs;

/// <summary>
/// Keeps the record of one job and carries the job on: takes its images, has its shards done by workers, publishes them, gives the images back. Sharded
/// and remembered: after a restart of the cluster it goes on without being asked. The actor brings in its own time.
/// <para>
/// What it asks of images are steps (<see cref="JobSteps"/>), one at a time, that can be taken again after any crash.
/// </para>
/// </summary>
public sealed partial class JobActor : RecordActor
{
    // A job that no worker asked for in so long says whom it waits for.
    private static readonly TimeSpan WorkerWait = TimeSpan.FromSeconds(10);

    private readonly ImageClusterSettings _settings;
    private readonly RecordKeepers _keepers;
    private readonly JobImages _images;
    private readonly JobOffers _offers;
    private readonly JobLeases _leases;
    private readonly JobVoice _voice;
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
    private string _countedAs = "";

    /// <param name="jobId">The job's id, which is the entity's.</param>
    public JobActor(string jobId, ImageClusterSettings settings, RecordKeepers keepers, TimeProvider time)
        : base("job", PersistenceIdOf(jobId), time)
    {
        (Id, _settings, _keepers) = (jobId, settings, keepers);
        _images = new JobImages(jobId, keepers, settings, Clock);
        _offers = new JobOffers(keepers, settings);
        _leases = new JobLeases(settings.LeaseDuration);
        _voice = new JobVoice(keepers);
        _offeredSince = Clock.Now;
        Replay<JobEvent>(e => _state = JobRecord.Apply(_state, e));
        Command<object>(AnswerForgotten, _ => IsBeingForgotten);
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
        SetReceiveTimeout(settings.IdleAfter);
    }

    protected override bool MayRest => WhyUnreadable is null && !IsBeingForgotten && (_state.Spec is null || _voice.IsDone(_state));

    private string Id { get; }

    public static string PersistenceIdOf(string jobId) => $"job-{jobId}";

    protected override void PostStop() => CountAs("");

    protected override void Recovered()
    {
        CountAs(StateNow);
        if (_state.Spec is null || WhyUnreadable is not null)
        {
            return;
        }

        // Nobody knows how long the actor was away: workers that it knew may still be at work for so long.
        _lastLoss = Clock.Now;
        Timers.StartPeriodicTimer(Beat.Instance, Beat.Instance, _settings.Heartbeat);
        Carry(new RestartAssignments(Id, Clock.Now), _ => Advance());
    }

    protected override object? RefusalOf(object message, string reason)
    {
        var refusal = new Refusal(RefusalKind.Conflict, $"the record of job {Id} cannot be read: {reason}");
        return message switch
        {
            JobCommand or DescribeJob or Messages.ListCopied => new JobRefused(Id, refusal),
            GatheredImages gathered => new MigrationRefused(gathered.MigrationId, refusal),
            _ => null,
        };
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

        Carry(command with { At = Clock.Now }, refusal =>
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
                _notBefore = Clock.Now + (_settings.RetryAfter * failures);
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
        if (decision.Events.Count == 0)
        {
            then(decision.Refusal);
            return;
        }

        JobState before = _state;
        Store(decision.Events, e => _state = JobRecord.Apply(_state, e), () =>
        {
            Changed(before);
            then(null);
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
            TimeSpan wait = deadline - Clock.Now;
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
        Carry(new ExpireAssignments(Id, Clock.Now), _ =>
        {
            _lastLoss = _state.Assignments.Count < before ? Clock.Now : _lastLoss;
            Advance();
        });
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
        _offeredSince = waits ? _offeredSince : Clock.Now;
        string status = waits && Clock.Now - _offeredSince >= WorkerWait
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

    private JobRefused Unknown()
    {
        Rest();
        return new JobRefused(Id, new Refusal(RefusalKind.Unknown, $"there is no job {Id}"));
    }

    private sealed class Deadline : Tick<Deadline>
    {
        public static readonly TimeSpan AtLeast = TimeSpan.FromMilliseconds(10);
    }

    private sealed class Retry : Tick<Retry>;

    private sealed class Beat : Tick<Beat>;
}
