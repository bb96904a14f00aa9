using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.Event;
using Akka.Persistence;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Measuring;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Serialization;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Images;

/// <summary>
/// Keeps the record of one image: takes its commands one at a time, stores what they lead to, then answers. Where the journal fails the
/// actor stops without an answer and begins again from the journal with the next message, so nothing is ever acknowledged that is not stored.
/// <para>
/// The sender's time in a command does not count: the actor brings in its own. After a restart every lease lasts a full duration from then
/// on, since nobody knows how long the actor was away.
/// </para>
/// </summary>
public sealed class ImageActor : ReceivePersistentActor, IWithTimers
{
    private readonly RecordClock _clock;
    private ImageState _state = ImageState.New;
    private Instant? _armedFor;
    private string? _unreadable;

    /// <param name="key">The image's <see cref="ImageName.Key"/>, which is the entity's id.</param>
    public ImageActor(string key, ImageClusterSettings settings, TimeProvider time)
    {
        PersistenceId = PersistenceIdOf(key);
        _clock = new RecordClock(time);
        Recover<Unreadable>(e => _unreadable ??= e.Reason);
        Recover<ImageEvent>(e => _state = ImageRecord.Apply(_state, e));
        Recover<RecoveryCompleted>(_ => StartAgain());
        Command<ImageCommand>(command => RefuseUnreadable(command.Image), _ => _unreadable is not null);
        Command<DescribeImage>(query => RefuseUnreadable(query.Image), _ => _unreadable is not null);
        Command<ImageCommand>(Carry);
        Command<DescribeImage>(query => Sender.Tell(Describe(query.Image)));
        Command<Tick>(_ => Expire());
        Command<ReceiveTimeout>(_ => Rest());
        Command<StopRecord>(_ => Context.Stop(Self));
        SetReceiveTimeout(settings.IdleAfter);
    }

    public override string PersistenceId { get; }

    // There are no snapshots: nobody needs to look for one.
    public override Recovery Recovery { get; } = new(SnapshotSelectionCriteria.None);

    public ITimerScheduler Timers { get; set; } = null!;

    public static string PersistenceIdOf(string key) => $"image-{key}";

    protected override void OnRecoveryFailure(Exception reason, object? message = null)
    {
        ClusterMeter.JournalFailed("image", "read");
        Log.Error(reason, "The journal of {0} cannot be read: {1}", PersistenceId, reason.Message);
    }

    protected override void OnPersistFailure(Exception cause, object @event, long sequenceNr)
    {
        ClusterMeter.JournalFailed("image", "write");
        base.OnPersistFailure(cause, @event, sequenceNr);
    }

    protected override void OnPersistRejected(Exception cause, object @event, long sequenceNr)
    {
        ClusterMeter.JournalFailed("image", "write");
        base.OnPersistRejected(cause, @event, sequenceNr);
    }

    private void StartAgain()
    {
        if (_state.Name is { } name && _unreadable is null)
        {
            Store(ImageRecord.Decide(_state, new RestartUses(name, _clock.Now)).Events, Arm);
        }
    }

    // What it does not know of might forbid anything.
    private void RefuseUnreadable(ImageName image) =>
        Sender.Tell(new ImageRefused(image, new Refusal(RefusalKind.Conflict, $"the record of {image} cannot be read: {_unreadable}")));

    private void Carry(ImageCommand command)
    {
        IActorRef sender = Sender;
        if (command is RestartUses)
        {
            sender.Tell(new ImageRefused(command.Image, new Refusal(RefusalKind.Invalid, "only the image's actor says that it was restarted")));
            return;
        }

        command = command with { At = _clock.Now };
        Decision<ImageEvent> decision = ImageRecord.Decide(_state, command);
        if (decision.Refusal is { } refusal)
        {
            sender.Tell(new ImageRefused(command.Image, refusal));
            return;
        }

        Store(decision.Events, () =>
        {
            Arm();
            sender.Tell(Answer(command));
        });
    }

    // All events of a command are one write: either all are stored or none.
    private void Store(IReadOnlyList<ImageEvent> events, Action stored)
    {
        int left = events.Count;
        if (left == 0)
        {
            stored();
            return;
        }

        PersistAll(events, e =>
        {
            _state = ImageRecord.Apply(_state, e);
            if (--left == 0)
            {
                stored();
            }
        });
    }

    private ImageReply Answer(ImageCommand command) => command switch
    {
        TakeUse take => Granted(ImageRecord.FindUse(_state, take.Holder, take.Purpose)!),
        RenewUse renew => Granted(_state.Leases[renew.Token]),
        GrantRoom grant => new RoomGiven(grant.Image, grant.Assignment, ImageRecord.FindRoom(_state, grant.Assignment, grant.Request)!),
        _ => new ImageDone(command.Image),
    };

    private UseGranted Granted(Lease lease) => new(_state.Name!, lease.Token, Remaining(lease));

    private TimeSpan Remaining(Lease lease)
    {
        TimeSpan left = lease.Deadline - _clock.Now;
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private ImageDescription Describe(ImageName image) => new(
        image,
        [.. _state.Leases.Values.Select(lease =>
            new ImageUser(lease.Token, lease.Holder, lease.Purpose, lease.Detail, Remaining(lease), lease.Revoked ?? ""))],
        [.. _state.Dependents],
        _state.Fill?.Layout.Shards ?? 0,
        _state.Fill?.Published.Count ?? 0,
        _state.Finished?.Holder ?? "",
        _state.Finished?.Digest ?? "")
    {
        OpenRooms = _state.Fill is { } fill ? [.. fill.Open.Keys] : [],
    };

    private void Arm()
    {
        if (_state.NextDeadline == _armedFor)
        {
            return;
        }

        _armedFor = _state.NextDeadline;
        Timers.Cancel(Tick.Instance);
        if (_armedFor is { } deadline)
        {
            TimeSpan wait = deadline - _clock.Now;
            Timers.StartSingleTimer(Tick.Instance, Tick.Instance, wait > Tick.AtLeast ? wait : Tick.AtLeast);
        }
    }

    private void Expire()
    {
        _armedFor = null;
        if (_state.Name is { } name)
        {
            Store(ImageRecord.Decide(_state, new ExpireUses(name, _clock.Now)).Events, Arm);
        }
    }

    // An image that somebody holds stays in memory, where its deadlines are looked after.
    private void Rest()
    {
        if (_state.IsIdle || _unreadable is not null)
        {
            Context.Parent.Tell(new Passivate(StopRecord.Instance));
        }
    }

    /// <summary>A deadline may have passed.</summary>
    private sealed class Tick : INotInfluenceReceiveTimeout, INoSerializationVerificationNeeded
    {
        public static readonly TimeSpan AtLeast = TimeSpan.FromMilliseconds(10);

        public static Tick Instance { get; } = new();
    }
}
