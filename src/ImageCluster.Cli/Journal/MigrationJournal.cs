using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Native;
using ImageCluster.Work.Targets;

namespace ImageCluster.Cli.Journal;

/// <summary>
/// The journal of one migration: a SQLite file in the target root that holds the events of its runs, jobs and targets. What is done is done only
/// once it is here, so that a run can be killed at any instant and the next one goes on. Members may be called from any thread.
/// </summary>
internal sealed class MigrationJournal : IEarlierRuns, IDisposable
{
    /// <summary>Notes of a job: what its source looked like when it began, and which file its finished target is.</summary>
    public const string SourceNote = "source";
    public const string TargetNote = "target";

    private const string TargetKey = "target";

    private readonly Lock _lock = new();
    private readonly EventStore _store;
    private readonly JournalLock? _held;
    private readonly TimeProvider _time;
    private readonly Instant _openedAt;
    private readonly long _openedTicks;
    private readonly Dictionary<ImageName, string> _latestJobs = [];
    private JournalState _state = JournalState.Empty;

    private MigrationJournal(string path, EventStore store, JournalLock? held, TimeProvider time)
    {
        FilePath = path;
        _store = store;
        _held = held;
        _time = time;
        _openedAt = Instant.From(time.GetUtcNow());
        _openedTicks = time.GetTimestamp();
    }

    public string FilePath { get; }

    public JournalState State
    {
        get
        {
            lock (_lock)
            {
                return _state;
            }
        }
    }

    /// <summary>
    /// Where the journal of a migration lies: <c>.imagecluster/NAME.journal.db</c> in a directory, which is the target root where that is one. A name that makes no good file name is made
    /// one, with a hash behind it that keeps two such names apart.
    /// </summary>
    public static string PathOf(string directory, string migration, string extension = ".journal.db")
    {
        string name = string.Concat(migration.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '-')).TrimStart('.');
        if (name != migration)
        {
            name = $"{name}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(migration)).AsSpan(0, 4))}";
        }

        return Path.Join(directory, OwnNames.JournalDirectory, name + extension);
    }

    /// <summary>Opens the migration's journal, or begins it, and keeps everybody else out until it is disposed of.</summary>
    /// <exception cref="CliException">It is in use, damaged, or of a migration to other targets.</exception>
    public static MigrationJournal Open(string directory, string targetRoot, MigrationManifest manifest, TimeProvider time)
    {
        string path = PathOf(directory, manifest.Name);
        HostFiles.CreateDirectory(Path.GetDirectoryName(path)!);
        JournalLock held = JournalLock.Take(PathOf(directory, manifest.Name, ".lock"), manifest.Name);
        EventStore? store = null;
        try
        {
            store = EventStore.Open(path);
            var journal = new MigrationJournal(path, store, held, time);
            journal.Replay();
            journal.RequireSameTargets(manifest, directory == targetRoot ? null : targetRoot);
            return journal;
        }
        catch
        {
            store?.Dispose();
            held.Dispose();
            throw;
        }
    }

    /// <summary>Removes the journal's files, which must not be open; what is not there is no error.</summary>
    public static void Remove(string directory, string migration)
    {
        string path = PathOf(directory, migration);
        foreach (string file in new[] { path, path + "-wal", path + "-shm", path + "-journal" })
        {
            File.Delete(file);
        }
    }

    /// <summary>The latest job for a source, or null where there was none.</summary>
    public JobState? LatestJob(ImageName source)
    {
        lock (_lock)
        {
            return _latestJobs.TryGetValue(source, out string? id) ? _state.Job(id) : null;
        }
    }

    public JobState Job(string id) => State.Job(id);

    /// <summary>The id that the next job for a source gets.</summary>
    public string NextJobId(ImageName source)
    {
        lock (_lock)
        {
            int number = _latestJobs.TryGetValue(source, out string? latest)
                ? int.Parse(latest.AsSpan(latest.LastIndexOf('-') + 1), NumberStyles.None, CultureInfo.InvariantCulture) + 1
                : 1;
            return $"{source.Key}-{number}";
        }
    }

    /// <summary>Every job, the latest one of each source.</summary>
    public IReadOnlyList<JobState> LatestJobs()
    {
        lock (_lock)
        {
            return [.. _latestJobs.Values.Select(_state.Job)];
        }
    }

    /// <summary>What was noted last, or null.</summary>
    public string? Note(string key) => _store.Note(key);

    public string? SourceFingerprint(string jobId) => Note($"{SourceNote}:{jobId}");

    public string? TargetIdentity(string jobId) => Note($"{TargetNote}:{jobId}");

    /// <summary>Decides the commands that <paramref name="fill"/> gives, stores what they lead to in one transaction, and only then lets it count.</summary>
    /// <returns>The state behind them.</returns>
    public JournalState Do(Action<JournalBatch> fill)
    {
        lock (_lock)
        {
            var batch = new JournalBatch(_state, Now());
            fill(batch);
            if (batch.Events.Count > 0 || batch.Notes.Count > 0)
            {
                _store.Append(batch.Events, batch.Notes);
            }

            _state = batch.State;
            foreach (StoredEvent stored in batch.Events)
            {
                Index(stored.Stream);
            }

            return _state;
        }
    }

    public void Dispose()
    {
        _store.Dispose();
        _held?.Dispose();
    }

    // Wall time when the journal was opened and a clock that only rises from there, whatever is done to the machine's clock meanwhile.
    private Instant Now() => _openedAt + _time.GetElapsedTime(_openedTicks);

    private void Replay()
    {
        try
        {
            foreach (StoredEvent stored in _store.ReadAll())
            {
                _state = _state.Apply(stored);
                Index(stored.Stream);
            }
        }
        catch (Exception e) when (e is ContractException or InvalidDataException or ArgumentException or KeyNotFoundException or NullReferenceException)
        {
            throw CliException.Refused($"{FilePath}: the journal cannot be read: {e.Message}", "start over with --restart; finished targets stay");
        }
    }

    private void Index(string stream)
    {
        const string Prefix = "job:";
        if (stream.StartsWith(Prefix, StringComparison.Ordinal) && _state.Job(stream[Prefix.Length..]) is { Spec: ConvertSpec spec } job)
        {
            _latestJobs[spec.Source] = job.Id;
        }
    }

    // Sources may come and go between runs; what was done before counts only where the targets are to be the same.
    private void RequireSameTargets(MigrationManifest manifest, string? root)
    {
        TargetDefinition target = manifest.Target;
        string now = string.Join('\n',
            $"{target.Format}, compressed: {target.Compress}, chains: {target.Backing}, names: {target.Name.Text}{(root is null ? "" : $", root: {root}")}",
            string.Join(',', target.Options.Select(option => $"{option.Key}={option.Value}")));
        string? before = Note(TargetKey);
        if (before is null)
        {
            _store.Append([], new Dictionary<string, string> { [TargetKey] = now });
        }
        else if (before != now)
        {
            throw CliException.Refused(
                $"{FilePath}: the journal of another migration named '{manifest.Name}', whose targets have another format, other options or names",
                "give this migration another name, or start over with --restart (finished targets stay)");
        }
    }
}
