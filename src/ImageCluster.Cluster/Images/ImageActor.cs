using Akka.Actor;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Records;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Images;

/// <summary>
/// Keeps the record of one image: takes its commands one at a time, stores what they lead to, then answers.
/// <para>
/// The sender's time in a command does not count: the actor brings in its own. After a restart every lease lasts a full duration from then
/// on, since nobody knows how long the actor was away.
/// </para>
/// </summary>
public sealed class ImageActor : LastingRecordActor
{
    private ImageState _state = ImageState.New;
    private Instant? _armedFor;

    /// <param name="key">The image's <see cref="ImageName.Key"/>, which is the entity's id.</param>
    public ImageActor(string key, ImageClusterSettings settings, TimeProvider time)
        : base("image", PersistenceIdOf(key), time, settings.SnapshotEvery)
    {
        Replay<ImageEvent>(e => _state = ImageRecord.Apply(_state, e));
        Command<ImageCommand>(Carry);
        Command<DescribeImage>(query => Sender.Tell(Describe(query.Image)));
        Command<Deadline>(_ => Expire());
        SetReceiveTimeout(settings.IdleAfter);
    }

    // An image that somebody holds stays in memory, where its deadlines are looked after.
    protected override bool MayRest => _state.IsIdle || WhyUnreadable is not null;

    protected override object State => _state;

    public static string PersistenceIdOf(string key) => $"image-{key}";

    protected override void Recovered()
    {
        if (_state.Name is { } name && WhyUnreadable is null)
        {
            Store(ImageRecord.Decide(_state, new RestartUses(name, Clock.Now)).Events, Arm);
        }
    }

    protected override void Restore(object state) => _state = (ImageState)state;

    protected override object? RefusalOf(object message, string reason) =>
        ((message as ImageCommand)?.Image ?? (message as DescribeImage)?.Image) is { } image
            ? new ImageRefused(image, new Refusal(RefusalKind.Conflict, $"the record of {image} cannot be read: {reason}"))
            : null;

    private void Carry(ImageCommand command)
    {
        IActorRef sender = Sender;
        if (command is RestartUses)
        {
            sender.Tell(new ImageRefused(command.Image, new Refusal(RefusalKind.Invalid, "only the image's actor says that it was restarted")));
            return;
        }

        command = command with { At = Clock.Now };
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

    private void Store(IReadOnlyList<ImageEvent> events, Action stored) => Store(events, e => _state = ImageRecord.Apply(_state, e), () =>
    {
        stored();
        ShortenIfLong();
    });

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
        TimeSpan left = lease.Deadline - Clock.Now;
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
        Timers.Cancel(Deadline.Instance);
        if (_armedFor is { } deadline)
        {
            TimeSpan wait = deadline - Clock.Now;
            Timers.StartSingleTimer(Deadline.Instance, Deadline.Instance, wait > Deadline.AtLeast ? wait : Deadline.AtLeast);
        }
    }

    private void Expire()
    {
        _armedFor = null;
        if (_state.Name is { } name)
        {
            Store(ImageRecord.Decide(_state, new ExpireUses(name, Clock.Now)).Events, Arm);
        }
    }

    /// <summary>A deadline may have passed.</summary>
    private sealed class Deadline : Tick<Deadline>
    {
        public static readonly TimeSpan AtLeast = TimeSpan.FromMilliseconds(10);
    }
}
