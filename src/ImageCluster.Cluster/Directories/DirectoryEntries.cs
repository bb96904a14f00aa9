using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;

namespace ImageCluster.Cluster.Directories;

/// <summary>What the directory knows.</summary>
internal sealed class DirectoryEntries
{
    /// <summary>Jobs of migrations that are over are forgotten, the oldest first, beyond so many.</summary>
    private const int MaxEndedOfMigrations = 10_000;

    private readonly Dictionary<string, JobSummary> _jobs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, MigrationOverview> _migrations = new(StringComparer.Ordinal);
    private readonly Queue<string> _endedOfMigrations = new();

    // Where in the journal the last note stands that was stored of each.
    private readonly Dictionary<string, long> _storedJobs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _storedMigrations = new(StringComparer.Ordinal);

    /// <summary>The last place in the journal of what was forgotten.</summary>
    public long ForgottenTo { get; private set; }

    /// <summary>The first place in the journal that is needed.</summary>
    public long FirstStored => _storedJobs.Values.Concat(_storedMigrations.Values).DefaultIfEmpty(long.MaxValue).Min();

    public bool MustStore(JobSummary job) => job.Migration.Length == 0 &&
        (!_jobs.TryGetValue(job.JobId, out JobSummary? known) || (job.HasEnded && !known.HasEnded));

    public bool MustStore(MigrationOverview migration) =>
        !_migrations.TryGetValue(migration.MigrationId, out MigrationOverview? known) || (migration.HasEnded && known.EndedAt != migration.EndedAt);

    public void Set(JobSummary job)
    {
        bool hadEnded = _jobs.TryGetValue(job.JobId, out JobSummary? known) && known.HasEnded;
        if (hadEnded && !job.HasEnded)
        {
            // Said before its end, and late.
            return;
        }

        _jobs[job.JobId] = job;
        if (job.HasEnded && !hadEnded && job.Migration.Length > 0)
        {
            _endedOfMigrations.Enqueue(job.JobId);
            if (_endedOfMigrations.Count > MaxEndedOfMigrations)
            {
                _jobs.Remove(_endedOfMigrations.Dequeue());
            }
        }
    }

    public void Set(MigrationOverview migration) => _migrations[migration.MigrationId] = migration;

    public void Stored(IDirectoryMessage note, long sequence)
    {
        switch (note)
        {
            case NoteJob job:
                _storedJobs[job.Job.JobId] = sequence;
                break;
            case NoteMigration migration:
                _storedMigrations[migration.Migration.MigrationId] = sequence;
                break;
        }
    }

    /// <summary>What stands in the journal before a place, as it is known now.</summary>
    public IEnumerable<IDirectoryMessage> StoredBefore(long sequence) =>
        _storedJobs.Where(pair => pair.Value < sequence).OrderBy(pair => pair.Value).Select(IDirectoryMessage (pair) => new NoteJob(_jobs[pair.Key] with { Uses = [] }))
            .Concat(_storedMigrations.Where(pair => pair.Value < sequence).OrderBy(pair => pair.Value).Select(pair => new NoteMigration(_migrations[pair.Key])));

    /// <summary>Jobs of no migration that ended before; the migration has the others.</summary>
    public IEnumerable<string> JobsOver(Instant before) => _jobs.Values.Where(job => job.Migration.Length == 0 && job.EndedAt < before).Select(job => job.JobId);

    public IEnumerable<string> MigrationsOver(Instant before) => _migrations.Values.Where(migration => migration.EndedAt < before).Select(migration => migration.MigrationId);

    public void ForgetJob(string id, Instant endedBefore)
    {
        if (_jobs.TryGetValue(id, out JobSummary? job) && job.EndedAt < endedBefore)
        {
            _jobs.Remove(id);
            Forget(_storedJobs, id);
        }
    }

    /// <summary>The migration and its jobs.</summary>
    public void ForgetMigration(string id, Instant endedBefore)
    {
        if (_migrations.TryGetValue(id, out MigrationOverview? migration) && migration.EndedAt < endedBefore)
        {
            _migrations.Remove(id);
            Forget(_storedMigrations, id);
            foreach (JobSummary job in _jobs.Values.Where(job => job.Migration == id).ToArray())
            {
                _jobs.Remove(job.JobId);
            }
        }
    }

    private void Forget(Dictionary<string, long> stored, string id)
    {
        if (stored.Remove(id, out long sequence))
        {
            ForgottenTo = Math.Max(ForgottenTo, sequence);
        }
    }

    public JobPage List(ListJobs list)
    {
        JobSummary[] fitting =
        [
            .. _jobs.Values.Where(job => Fits(list.Part, job.State, job.HasEnded) && (list.Migration.Length == 0 || job.Migration == list.Migration))
                .OrderByDescending(job => job.SubmittedAt).ThenByDescending(job => job.JobId, StringComparer.Ordinal),
        ];
        return new JobPage([.. PartOf(fitting, list.Part)], fitting.Length);
    }

    public MigrationPage List(ListMigrations list)
    {
        MigrationOverview[] fitting =
        [
            .. _migrations.Values.Where(migration => Fits(list.Part, migration.State, migration.HasEnded))
                .OrderByDescending(migration => migration.SubmittedAt).ThenByDescending(migration => migration.MigrationId, StringComparer.Ordinal),
        ];
        return new MigrationPage([.. PartOf(fitting, list.Part)], fitting.Length);
    }

    public ImagePage List(ListImages list)
    {
        ImageInUse[] images =
        [
            .. _jobs.Values.Where(job => list.Migration.Length == 0 || job.Migration == list.Migration)
                .SelectMany(job => job.Uses.Select(use => new ImageHolder(job.JobId, use)))
                .GroupBy(holder => holder.Use.Image)
                .OrderBy(group => group.Key)
                .Select(group => new ImageInUse(group.Key, [.. group.OrderBy(holder => holder.JobId, StringComparer.Ordinal)])),
        ];
        return new ImagePage([.. PartOf(images, list.Part)], images.Length);
    }

    private static bool Fits(ListPart part, string state, bool hasEnded) =>
        part.State.Length == 0 || (part.State == ListPart.Active ? !hasEnded : part.State == state);

    private static IEnumerable<T> PartOf<T>(IEnumerable<T> all, ListPart part) =>
        all.Skip(Math.Max(0, part.Offset)).Take(Math.Clamp(part.Limit, 1, ListPart.MaxLimit));
}
