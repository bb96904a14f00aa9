using Akka.Event;
using Akka.Persistence;
using ImageCluster.Cluster.Serialization;

namespace ImageCluster.Cluster.Records;

/// <summary>
/// A record that is never over, so that its journal would grow for ever: every so many events its state is stored whole (a snapshot), and what stands before the
/// last snapshot but one is deleted. So there is a second way back, should the newest not do, and a crash anywhere between these steps leaves more than is needed, which
/// the next time deletes.
/// </summary>
public abstract class LastingRecordActor : RecordActor
{
    private readonly int _every;
    private long _snapshotAt;
    private long _triedAt;

    /// <param name="sort">As for <see cref="RecordActor"/>.</param>
    /// <param name="persistenceId">As for <see cref="RecordActor"/>.</param>
    /// <param name="time">As for <see cref="RecordActor"/>.</param>
    /// <param name="every">Events between two snapshots, 1 or more.</param>
    protected LastingRecordActor(string sort, string persistenceId, TimeProvider time, int every)
        : base(sort, persistenceId, time)
    {
        _every = every;
        Recover<SnapshotOffer>(offer =>
        {
            (_snapshotAt, _triedAt) = (offer.Metadata.SequenceNr, offer.Metadata.SequenceNr);
            if (offer.Snapshot is Unreadable unreadable)
            {
                CannotRead(unreadable);
            }
            else
            {
                Restore(offer.Snapshot);
            }
        });
        Command<SaveSnapshotSuccess>(saved => Shorten(saved.Metadata.SequenceNr));
        Command<SaveSnapshotFailure>(failure => NotShortened("snapshot", failure.Cause));
        Command<DeleteMessagesSuccess>(_ => { });
        Command<DeleteMessagesFailure>(failure => NotShortened("delete", failure.Cause));
        Command<DeleteSnapshotsSuccess>(_ => { });
        Command<DeleteSnapshotsFailure>(failure => NotShortened("delete", failure.Cause));
    }

    /// <summary>Begins with the newest snapshot.</summary>
    public sealed override Recovery Recovery { get; } = new();

    /// <summary>All that is known, as of the last event that was stored.</summary>
    protected abstract object State { get; }

    /// <summary>Takes such a state in the place of all events before.</summary>
    protected abstract void Restore(object state);

    /// <summary>To be called when events were stored and applied.</summary>
    protected void ShortenIfLong()
    {
        // One that could not be saved is not tried again with every event.
        if (LastSequenceNr - _triedAt >= _every)
        {
            _triedAt = LastSequenceNr;
            SaveSnapshot(State);
        }
    }

    private void Shorten(long savedAt)
    {
        long before = _snapshotAt;
        _snapshotAt = savedAt;
        if (before > 0)
        {
            DeleteMessages(before);
            DeleteSnapshots(new SnapshotSelectionCriteria(before - 1));
        }
    }

    // Nothing is lost, and the next time makes up for it.
    private void NotShortened(string what, Exception cause)
    {
        CountFailure(what);
        Log.Warning("The journal of {0} was not shortened: {1}", PersistenceId, cause.Message);
    }
}
