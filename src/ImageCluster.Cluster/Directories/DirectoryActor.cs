using Akka.Actor;
using Akka.Event;
using Akka.Persistence;
using ImageCluster.Cluster.Messages;

namespace ImageCluster.Cluster.Directories;

/// <summary>
/// Lists jobs, migrations and the images in use; one in the cluster. Jobs and migrations tell it where they stand, again and again while they are not
/// over. It stores that they are there and how they ended, so that what is over is still listed after a restart; a migration's jobs it does not store: the
/// migration has them.
/// </summary>
public sealed class DirectoryActor : ReceivePersistentActor
{
    /// <summary>The one entity's id.</summary>
    public const string EntityId = "all";

    private readonly DirectoryEntries _entries = new();

    public DirectoryActor()
    {
        Recover<NoteJob>(note => _entries.Set(note.Job));
        Recover<NoteMigration>(note => _entries.Set(note.Migration));
        Command<NoteJob>(Note);
        Command<NoteMigration>(Note);
        Command<ListJobs>(list => Sender.Tell(_entries.List(list)));
        Command<ListMigrations>(list => Sender.Tell(_entries.List(list)));
        Command<ListImages>(list => Sender.Tell(_entries.List(list)));
        Command<StopRecord>(_ => Context.Stop(Self));
    }

    public override string PersistenceId => "directory";

    // There are no snapshots: nobody needs to look for one.
    public override Recovery Recovery { get; } = new(SnapshotSelectionCriteria.None);

    protected override void OnRecoveryFailure(Exception reason, object? message = null) =>
        Log.Error(reason, "The journal of {0} cannot be read: {1}", PersistenceId, reason.Message);

    private void Note(NoteJob note)
    {
        // The directory is asked who uses an image: nobody who is over.
        NoteJob kept = note.Job.HasEnded ? new NoteJob(note.Job with { Uses = [] }) : note;
        Note(kept, _entries.MustStore(kept.Job), () => _entries.Set(kept.Job), new EntryNoted(kept.Job.JobId, kept.Job.HasEnded));
    }

    private void Note(NoteMigration note) => Note(
        note, _entries.MustStore(note.Migration), () => _entries.Set(note.Migration), new EntryNoted(note.Migration.MigrationId, note.Migration.HasEnded));

    private void Note(object note, bool store, Action set, EntryNoted answer)
    {
        IActorRef sender = Sender;
        if (store)
        {
            Persist(note, _ => Done());
        }
        else
        {
            Done();
        }

        void Done()
        {
            set();
            sender.Tell(answer);
        }
    }
}
