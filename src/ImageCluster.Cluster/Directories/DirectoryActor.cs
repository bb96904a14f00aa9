using Akka.Actor;
using Akka.Event;
using Akka.Persistence;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Records;
using ImageCluster.Jobs;

namespace ImageCluster.Cluster.Directories;

/// <summary>
/// Lists jobs, migrations and the images in use; one in the cluster. Jobs and migrations tell it where they stand, again and again while they are not
/// over. It stores that they are there and how they ended, so that what is over is still listed after a restart; a migration's jobs it does not store: the
/// migration has them.
/// <para>
/// What ended longer ago than <see cref="ImageClusterSettings.Retention"/> it has deleted by whoever keeps it, and forgets it then. Its own journal is cut off
/// before the first entry that is still needed; what stands before others that were forgotten is stored again at the end.
/// </para>
/// </summary>
public sealed class DirectoryActor : RecordActor
{
    /// <summary>The one entity's id.</summary>
    public const string EntityId = "all";

    private const string JournalId = "directory";

    // So many are being forgotten at a time.
    private const int MaxForgetting = 50;

    private readonly DirectoryEntries _entries = new();
    private readonly HashSet<string> _forgetting = new(StringComparer.Ordinal);
    private readonly ImageClusterSettings _settings;
    private readonly RecordKeepers _keepers;
    private long _deletedTo;

    public DirectoryActor(ImageClusterSettings settings, RecordKeepers keepers, TimeProvider time)
        : base("directory", JournalId, time)
    {
        (_settings, _keepers) = (settings, keepers);
        Replay<NoteJob>(Stored);
        Replay<NoteMigration>(Stored);
        Command<NoteJob>(Note);
        Command<NoteMigration>(Note);
        Command<ListJobs>(list => Sender.Tell(_entries.List(list)));
        Command<ListMigrations>(list => Sender.Tell(_entries.List(list)));
        Command<ListImages>(list => Sender.Tell(_entries.List(list)));
        Command<Forget>(_ =>
        {
            // Who has not answered is asked again.
            _forgetting.Clear();
            ForgetNext();
        });
        Command<JobForgotten>(forgotten => Forgotten(KeyOf(forgotten), () => _entries.ForgetJob(forgotten.JobId, EndedBefore)));
        Command<MigrationForgotten>(forgotten => Forgotten(KeyOf(forgotten), () => _entries.ForgetMigration(forgotten.MigrationId, EndedBefore)));
        Command<JobRefused>(refused => Kept(refused.JobId, refused.Refusal));
        Command<MigrationRefused>(refused => Kept(refused.MigrationId, refused.Refusal));
        Command<DeleteMessagesSuccess>(deleted => _deletedTo = Math.Max(_deletedTo, deleted.ToSequenceNr));
        Command<DeleteMessagesFailure>(failure =>
        {
            CountFailure("delete");
            Log.Warning("The directory's journal was not cut off: {0}", failure.Cause.Message);
        });
    }

    protected override bool MayRest => false;

    // Lists go on without.
    protected override bool DoesWithout => true;

    private Instant EndedBefore => Clock.Now + -_settings.Retention!.Value;

    protected override void Recovered()
    {
        if (_settings.Retention is not null)
        {
            Timers.StartPeriodicTimer(Forget.Instance, Forget.Instance, _settings.ForgetEvery);
        }
    }

    protected override object? RefusalOf(object message, string reason) => null;

    private void Note(NoteJob note)
    {
        // The directory is asked who uses an image: nobody who is over.
        NoteJob kept = note.Job.HasEnded ? new NoteJob(note.Job with { Uses = [] }) : note;
        Note(kept, _entries.MustStore(kept.Job), () => _entries.Set(kept.Job), new EntryNoted(kept.Job.JobId, kept.Job.HasEnded));
    }

    private void Note(NoteMigration note) => Note(
        note, _entries.MustStore(note.Migration), () => _entries.Set(note.Migration), new EntryNoted(note.Migration.MigrationId, note.Migration.HasEnded));

    private void Note(IDirectoryMessage note, bool store, Action set, EntryNoted answer)
    {
        IActorRef sender = Sender;
        if (store)
        {
            Persist(note, stored =>
            {
                Stored(stored);
                sender.Tell(answer);
            });
        }
        else
        {
            set();
            sender.Tell(answer);
        }
    }

    // The last one stored of an entry has all that is to be known of it.
    private void Stored(IDirectoryMessage note)
    {
        switch (note)
        {
            case NoteJob job:
                _entries.Set(job.Job);
                break;
            case NoteMigration migration:
                _entries.Set(migration.Migration);
                break;
        }

        _entries.Stored(note, LastSequenceNr);
    }

    private void ForgetNext()
    {
        Instant endedBefore = EndedBefore;
        foreach (string id in _entries.MigrationsOver(endedBefore).Where(id => !_forgetting.Contains(MigrationKey(id))).Take(MaxForgetting - _forgetting.Count).ToArray())
        {
            _forgetting.Add(MigrationKey(id));
            _keepers.Migrations().Tell(new ForgetMigration(id, endedBefore));
        }

        foreach (string id in _entries.JobsOver(endedBefore).Where(id => !_forgetting.Contains(JobKey(id))).Take(MaxForgetting - _forgetting.Count).ToArray())
        {
            _forgetting.Add(JobKey(id));
            _keepers.Jobs().Tell(new ForgetJob(id, endedBefore));
        }
    }

    private void Forgotten(string key, Action forget)
    {
        forget();
        _forgetting.Remove(key);
        ForgetNext();
        if (_forgetting.Count == 0)
        {
            CutOff();
        }
    }

    // Asked again the next time: it stays among those that are being forgotten until then.
    private void Kept(string id, Refusal refusal) => Log.Warning("{0} is over but cannot be forgotten: {1}", id, refusal.Message);

    private void CutOff()
    {
        IDirectoryMessage[] behind = [.. _entries.StoredBefore(_entries.ForgottenTo)];
        if (behind.Length > 0)
        {
            Store(behind, note => _entries.Stored(note, LastSequenceNr), CutOff);
            return;
        }

        long to = Math.Min(_entries.FirstStored - 1, LastSequenceNr);
        // Nor is what only a newer program can read cut off.
        if (to > _deletedTo && WhyUnreadable is null)
        {
            DeleteMessages(to);
        }
    }

    private static string JobKey(string id) => $"job {id}";

    private static string MigrationKey(string id) => $"migration {id}";

    private static string KeyOf(JobForgotten forgotten) => JobKey(forgotten.JobId);

    private static string KeyOf(MigrationForgotten forgotten) => MigrationKey(forgotten.MigrationId);

    /// <summary>Some may have ended long enough ago.</summary>
    private sealed class Forget : Tick<Forget>;
}
