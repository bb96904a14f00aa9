using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Migrations;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Cluster.Messages.V1;

namespace ImageCluster.Cluster.Serialization;

/// <summary>Summaries of jobs and migrations to messages and back.</summary>
internal static class SummaryMapping
{
    public static P.JobSummary ToMessage(JobSummary job)
    {
        var message = new P.JobSummary
        {
            JobId = job.JobId,
            Migration = job.Migration,
            Operation = job.Operation,
            Phase = (int)job.Phase,
            Paused = job.IsPaused,
            Outcome = (int)(job.Outcome ?? 0),
            Reason = job.Reason,
            Priority = job.Priority,
            SubmittedAt = job.SubmittedAt.UnixMilliseconds,
            Stage = (int)job.Stage,
            Shards = (ulong)job.Shards,
            ShardsDone = (ulong)job.ShardsDone,
            ShardsInWork = (ulong)job.ShardsInWork,
            BytesRead = (ulong)job.BytesRead,
            BytesWritten = (ulong)job.BytesWritten,
            Digest = job.Digest,
            Uses = { job.Uses.Select(JobValueMapping.ToMessage) },
        };
        if (job.EndedAt is { } ended)
        {
            message.EndedAt = ended.UnixMilliseconds;
        }

        if (job.FirstDifference is { } offset)
        {
            message.FirstDifference = (ulong)offset;
        }

        return message;
    }

    public static JobSummary ToDomain(P.JobSummary? job) => job is null ? throw new ArgumentException("a job's summary is missing") : new JobSummary
    {
        JobId = job.JobId,
        Migration = job.Migration,
        Operation = job.Operation,
        Phase = ToEnum<JobPhase>(job.Phase),
        IsPaused = job.Paused,
        Outcome = job.Outcome == 0 ? null : ToEnum<JobOutcome>(job.Outcome),
        Reason = job.Reason,
        Priority = job.Priority,
        SubmittedAt = ToInstant(job.SubmittedAt),
        EndedAt = job.HasEndedAt ? ToInstant(job.EndedAt) : null,
        Stage = job.Stage == 0 ? default : ToEnum<StageKind>(job.Stage),
        Shards = ToLong(job.Shards),
        ShardsDone = ToLong(job.ShardsDone),
        ShardsInWork = ToLong(job.ShardsInWork),
        BytesRead = ToLong(job.BytesRead),
        BytesWritten = ToLong(job.BytesWritten),
        Digest = job.Digest,
        FirstDifference = job.HasFirstDifference ? ToLong(job.FirstDifference) : null,
        Uses = JobValueMapping.ToDomain(job.Uses),
    };

    public static P.MigrationOverview ToMessage(MigrationOverview migration)
    {
        MigrationSummary numbers = migration.Numbers;
        var message = new P.MigrationOverview
        {
            MigrationId = migration.MigrationId,
            Name = migration.Name,
            Phase = (int)migration.Phase,
            SubmittedBy = migration.SubmittedBy,
            SubmittedAt = migration.SubmittedAt.UnixMilliseconds,
            Numbers = new P.MigrationNumbers
            {
                Images = numbers.Images,
                Waiting = numbers.Waiting,
                Running = numbers.Running,
                Succeeded = numbers.Succeeded,
                Failed = numbers.Failed,
                Cancelled = numbers.Cancelled,
                Skipped = numbers.Skipped,
                Refused = numbers.Refused,
                PlannedBytes = (ulong)numbers.PlannedBytes,
                DoneBytes = (ulong)numbers.DoneBytes,
                BytesRead = (ulong)numbers.BytesRead,
                BytesWritten = (ulong)numbers.BytesWritten,
            },
            Reasons = { migration.Reasons },
        };
        if (migration.EndedAt is { } ended)
        {
            message.EndedAt = ended.UnixMilliseconds;
        }

        return message;
    }

    public static MigrationOverview ToDomain(P.MigrationOverview? migration)
    {
        if (migration?.Numbers is not { } numbers)
        {
            throw new ArgumentException("a migration's summary is missing");
        }

        return new MigrationOverview
        {
            MigrationId = migration.MigrationId,
            Name = migration.Name,
            Phase = ToEnum<MigrationPhase>(migration.Phase),
            SubmittedBy = migration.SubmittedBy,
            SubmittedAt = ToInstant(migration.SubmittedAt),
            EndedAt = migration.HasEndedAt ? ToInstant(migration.EndedAt) : null,
            Numbers = new MigrationSummary
            {
                Images = numbers.Images,
                Waiting = numbers.Waiting,
                Running = numbers.Running,
                Succeeded = numbers.Succeeded,
                Failed = numbers.Failed,
                Cancelled = numbers.Cancelled,
                Skipped = numbers.Skipped,
                Refused = numbers.Refused,
                PlannedBytes = ToLong(numbers.PlannedBytes),
                DoneBytes = ToLong(numbers.DoneBytes),
                BytesRead = ToLong(numbers.BytesRead),
                BytesWritten = ToLong(numbers.BytesWritten),
            },
            Reasons = [.. migration.Reasons],
        };
    }

    public static P.MigrationImage ToMessage(MigrationImage entry) => new()
    {
        Image = JobValueMapping.ToMessage(entry.Image),
        Attempt = entry.Image.Attempt,
        Digest = entry.Image.Digest,
        BytesRead = (ulong)entry.Image.BytesRead,
        BytesWritten = (ulong)entry.Image.BytesWritten,
        StartedAt = entry.Image.StartedAt.UnixMilliseconds,
        EndedAt = entry.Image.EndedAt.UnixMilliseconds,
        JobId = entry.JobId,
        Job = entry.Job is null ? null : ToMessage(entry.Job),
    };

    public static MigrationImage ToDomain(P.MigrationImage entry) => new(
        JobValueMapping.ToDomain([entry.Image])[0] with
        {
            Attempt = entry.Attempt,
            Digest = entry.Digest,
            BytesRead = ToLong(entry.BytesRead),
            BytesWritten = ToLong(entry.BytesWritten),
            StartedAt = ToInstant(entry.StartedAt),
            EndedAt = ToInstant(entry.EndedAt),
        },
        entry.JobId,
        entry.Job is null ? null : ToDomain(entry.Job));
}
