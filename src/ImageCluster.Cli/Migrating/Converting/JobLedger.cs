using System.Collections.Immutable;
using ImageCluster.Cli.Journal;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cli.Migrating.Converting;

/// <summary>
/// The journal's side of one image's conversion: the job's record and the target's, moved on together, each step one transaction. Files are
/// somebody else's business; what is said here to be done is durable there already.
/// </summary>
internal sealed class JobLedger
{
    private static readonly TimeSpan Lease = ImageRecord.MaxDuration;

    private readonly MigrationJournal _journal;
    private readonly ImageName _target;
    private readonly string _worker;

    private JobLedger(MigrationJournal journal, string jobId, ImageName target, string worker)
    {
        _journal = journal;
        _target = target;
        _worker = worker;
        JobId = jobId;
    }

    public string JobId { get; }

    public JobState Job => _journal.Job(JobId);

    public FillState? Fill => _journal.State.Image(_target.ToString()).Fill;

    /// <summary>Begins a new job.</summary>
    public static JobLedger Submit(MigrationJournal journal, ConvertSpec spec, string migration, string worker)
    {
        var ledger = new JobLedger(journal, journal.NextJobId(spec.Source), spec.Target, worker);
        journal.Do(batch => batch.Do(new SubmitJob(ledger.JobId, batch.Now, spec, JobSettings.Default with { Migration = migration })));
        return ledger;
    }

    /// <summary>Goes on with a job whose worker is gone for certain: what it had in work waits again, with the room that it had.</summary>
    public static JobLedger Resume(MigrationJournal journal, JobState job, string worker)
    {
        var ledger = new JobLedger(journal, job.Id, ((ConvertSpec)job.Spec!).Target, worker);
        journal.Do(ledger.EndLostWork);
        return ledger;
    }

    /// <summary>The key of a note of this job.</summary>
    public string NoteKey(string what) => $"{what}:{JobId}";

    /// <summary>Plans the job: the target's file is there, empty, and takes the target into use.</summary>
    public void Plan(JobPlan plan, FillLayout layout, IEnumerable<KeyValuePair<string, string>> notes) => _journal.Do(batch =>
    {
        long token = Use(batch);
        batch.Do(new StartFill(_target, batch.Now, token, layout));
        batch.Do(new NoteUses(JobId, batch.Now, [new JobUse(_target, UsePurpose.Fill, token)]));
        batch.Do(new PlanJob(JobId, batch.Now, plan));
        foreach ((string key, string value) in notes)
        {
            batch.Note(key, value);
        }
    });

    /// <summary>Takes everything that the present step has left to do and returns the assignment.</summary>
    public long Start(IEnumerable<KeyValuePair<string, string>>? notes = null)
    {
        long assignment = 0;
        _journal.Do(batch =>
        {
            assignment = Take(batch);
            foreach ((string key, string value) in notes ?? [])
            {
                batch.Note(key, value);
            }
        });
        return assignment;
    }

    public RoomGrant Grant(long assignment, int request, long wanted, long atLeast)
    {
        JournalState state = _journal.Do(batch =>
        {
            long token = Use(batch);
            batch.Do(new GrantRoom(_target, batch.Now, token, assignment, request, wanted, atLeast));
        });
        return ImageRecord.FindRoom(state.Image(_target.ToString()), assignment, request)!;
    }

    /// <summary>Shards are filled, and what they wrote is durable.</summary>
    public void Filled(long assignment, IReadOnlyList<ShardResult> results) => _journal.Do(batch =>
    {
        long token = Use(batch);
        batch.Do(new PublishShards(_target, batch.Now, token, assignment,
            [.. results.Select(result => result.Manifest ?? new ShardManifest(result.Shard, [], [], 0))]));
        batch.Do(new CompleteShards(JobId, batch.Now, assignment, [.. results]));
    });

    /// <summary>Every shard is in and the target's file is whole.</summary>
    public void Finished(long assignment) => _journal.Do(batch =>
    {
        long token = Use(batch);
        CloseRooms(batch, token);
        batch.Do(new FinishTarget(_target, batch.Now, token, batch.State.Job(JobId).Digest));
        batch.Do(new CompleteShards(JobId, batch.Now, assignment, [new ShardResult { Shard = 0 }]));
    });

    /// <summary>The target was filled in one go, and its file is whole: copying and finishing are over together.</summary>
    public void FilledWhole(long assignment, ShardResult result) => _journal.Do(batch =>
    {
        long token = Use(batch);
        batch.Do(new PublishShards(_target, batch.Now, token, assignment, [new ShardManifest(result.Shard, [], [], 0)]));
        batch.Do(new CompleteShards(JobId, batch.Now, assignment, [result]));
        long finishing = Take(batch);
        batch.Do(new FinishTarget(_target, batch.Now, token, batch.State.Job(JobId).Digest));
        batch.Do(new CompleteShards(JobId, batch.Now, finishing, [new ShardResult { Shard = 0 }]));
    });

    /// <summary>Shards of a step that changes nothing in the target's metadata are done.</summary>
    public void Completed(long assignment, IReadOnlyList<ShardResult> results) =>
        _journal.Do(batch => batch.Do(new CompleteShards(JobId, batch.Now, assignment, [.. results])));

    /// <summary>The target has its name: the job has succeeded, and the target is free.</summary>
    public void Installed(long assignment) => _journal.Do(batch =>
    {
        batch.Do(new CompleteShards(JobId, batch.Now, assignment, [new ShardResult { Shard = 0 }]));
        batch.Do(new NoteReleased(JobId, batch.Now));
        batch.Do(new EndUse(_target, batch.Now, Use(batch)));
    });

    /// <summary>The job has failed for good; what it wrote is of no use.</summary>
    public void Failed(string reason) => _journal.Do(batch =>
    {
        EndLostWork(batch);
        batch.Do(new FailJob(JobId, batch.Now, reason));
        batch.Do(new NoteReleased(JobId, batch.Now));
        if (Held(batch) is { } token)
        {
            batch.Do(new AbandonFill(_target, batch.Now, token));
            batch.Do(new EndUse(_target, batch.Now, token));
        }
    });

    private long Take(JournalBatch batch) => batch.Do(
        new StartShards(JobId, batch.Now, _worker, int.MaxValue, JobRecord.MaxDuration, batch.Now + JobRecord.MaxDuration)).LastAssignment;

    private void EndLostWork(JournalBatch batch)
    {
        foreach (long assignment in batch.State.Job(JobId).Assignments.Keys)
        {
            batch.Do(new HandBack(JobId, batch.Now, assignment));
        }

        if (batch.State.Image(_target.ToString()).Fill is { } fill && fill.Holder == JobId)
        {
            CloseRooms(batch, Use(batch));
        }
    }

    private void CloseRooms(JournalBatch batch, long token)
    {
        foreach (long assignment in batch.State.Image(_target.ToString()).Fill?.Open.Keys ?? [])
        {
            batch.Do(new CloseRoom(_target, batch.Now, token, assignment, ImmutableSortedDictionary<int, long>.Empty));
        }
    }

    // The lease on the target, taken or renewed so that it holds for what the batch is about to do.
    private long Use(JournalBatch batch) => ImageRecord.FindUse(
        batch.Do(new TakeUse(_target, batch.Now, JobId, UsePurpose.Fill, Lease, "", [])), JobId, UsePurpose.Fill)!.Token;

    private long? Held(JournalBatch batch)
    {
        ImageState image = batch.State.Image(_target.ToString());
        return ImageRecord.FindUse(image, JobId, UsePurpose.Fill) is null ? null : Use(batch);
    }
}
