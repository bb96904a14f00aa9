using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.Event;
using Akka.Persistence;
using ImageCluster.Cluster.Measuring;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Serialization;

namespace ImageCluster.Cluster.Records;

/// <summary>
/// What all who keep a record in the journal do alike. Where the journal fails the actor counts it, says so and stops without an answer; it begins again from the
/// journal, so nothing is ever acknowledged that is not stored. A record with an event that cannot be read refuses whatever is asked of it and says why.
/// </summary>
public abstract class RecordActor : ReceivePersistentActor, IWithTimers
{
    private readonly string _sort;

    /// <param name="sort">"image", "job", "migration" or "directory": what failures are counted under.</param>
    /// <param name="persistenceId">Of its journal.</param>
    /// <param name="time">The clock that it brings into commands.</param>
    protected RecordActor(string sort, string persistenceId, TimeProvider time)
    {
        (_sort, PersistenceId, Clock) = (sort, persistenceId, new RecordClock(time));
        Recover<Unreadable>(CannotRead);
        Recover<RecoveryCompleted>(_ => Recovered());
        Command<StopRecord>(_ => Context.Stop(Self));
        Command<ReceiveTimeout>(_ =>
        {
            if (MayRest)
            {
                Rest();
            }
        });
        Command<object>(
            message =>
            {
                if (RefusalOf(message, WhyUnreadable!) is { } refusal)
                {
                    Sender.Tell(refusal);
                }
            },
            _ => WhyUnreadable is not null && !DoesWithout);
    }

    public sealed override string PersistenceId { get; }

    // Where there are no snapshots nobody needs to look for one.
    public override Recovery Recovery { get; } = new(SnapshotSelectionCriteria.None);

    public ITimerScheduler Timers { get; set; } = null!;

    protected RecordClock Clock { get; }

    /// <summary>By name what of its journal cannot be read; null where everything can.</summary>
    protected string? WhyUnreadable { get; private set; }

    /// <summary>True where nothing hangs on the record being in memory.</summary>
    protected abstract bool MayRest { get; }

    /// <summary>True where what cannot be read says nothing of the rest.</summary>
    protected virtual bool DoesWithout => false;

    /// <summary>What the events of the journal do, up to one that cannot be read: what comes behind it may build on it.</summary>
    protected void Replay<TEvent>(Action<TEvent> apply) => Recover<TEvent>(e =>
    {
        if (WhyUnreadable is null || DoesWithout)
        {
            apply(e);
        }
    });

    /// <summary>All events were applied, or could not be.</summary>
    protected abstract void Recovered();

    /// <summary>
    /// The answer to whoever asks something of a record that cannot be read, because what it does not know of might forbid anything; null where nobody waits for one.
    /// </summary>
    protected abstract object? RefusalOf(object message, string reason);

    protected override void OnRecoveryFailure(Exception reason, object? message = null)
    {
        CountFailure("read");
        Log.Error(reason, "The journal of {0} cannot be read: {1}", PersistenceId, reason.Message);
    }

    protected override void OnPersistFailure(Exception cause, object @event, long sequenceNr)
    {
        CountFailure("write");
        base.OnPersistFailure(cause, @event, sequenceNr);
    }

    protected override void OnPersistRejected(Exception cause, object @event, long sequenceNr)
    {
        CountFailure("write");
        base.OnPersistRejected(cause, @event, sequenceNr);
    }

    private protected void CannotRead(Unreadable what) => WhyUnreadable ??= what.Reason;

    protected void CountFailure(string what) => ClusterMeter.JournalFailed(_sort, what);

    /// <summary>Stores all events of a command as one write, so that either all are stored or none, applies them, and goes on.</summary>
    protected void Store<TEvent>(IReadOnlyList<TEvent> events, Action<TEvent> apply, Action stored)
    {
        int left = events.Count;
        if (left == 0)
        {
            stored();
            return;
        }

        PersistAll(events, e =>
        {
            apply(e);
            if (--left == 0)
            {
                stored();
            }
        });
    }

    /// <summary>Leaves memory: a message brings it back.</summary>
    protected static void Rest() => Context.Parent.Tell(new Passivate(StopRecord.Instance));
}
