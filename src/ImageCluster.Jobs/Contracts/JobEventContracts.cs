using ImageCluster.Jobs.Execution;
using static ImageCluster.Jobs.Contracts.JobValueMapping;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Jobs.Contracts.V1;

namespace ImageCluster.Jobs.Contracts;

/// <summary>The events of a job's record, one contract each.</summary>
internal static class JobEventContracts
{
    public static IReadOnlyList<Contract> All { get; } =
    [
        Contract.Of<JobSubmitted, P.JobSubmitted>("job.submitted.v1",
            e => new() { JobId = e.JobId, Spec = ToMessage(e.Spec), Settings = ToMessage(e.Settings), At = e.At.UnixMilliseconds },
            m => new(m.JobId, ToDomain(m.Spec), ToDomain(m.Settings), ToInstant(m.At))),
        Contract.Of<UsesTaken, P.UsesTaken>("job.uses-taken.v1",
            e => new() { Uses = { e.Uses.Select(ToMessage) }, At = e.At.UnixMilliseconds },
            m => new(ToDomain(m.Uses), ToInstant(m.At))),
        Contract.Of<UsesReleased, P.UsesReleased>("job.uses-released.v1",
            e => new() { At = e.At.UnixMilliseconds },
            m => new(ToInstant(m.At))),
        Contract.Of<JobPlanned, P.JobPlanned>("job.planned.v1",
            e => new() { Plan = ToMessage(e.Plan), At = e.At.UnixMilliseconds },
            m => new(ToDomain(m.Plan), ToInstant(m.At))),
        Contract.Of<StageEntered, P.StageEntered>("job.stage-entered.v1",
            e => new() { IndexPlusOne = e.Index + 1, Kind = (int)e.Kind, Shards = (ulong)e.Shards, At = e.At.UnixMilliseconds },
            m => new(m.IndexPlusOne - 1, ToEnum<StageKind>(m.Kind), ToLong(m.Shards), ToInstant(m.At))),
        Contract.Of<ShardsStarted, P.ShardsStarted>("job.shards-started.v1",
            e => new()
            {
                Assignment = e.Assignment,
                Worker = e.Worker,
                Shards = ToMessage(e.Shards),
                At = e.At.UnixMilliseconds,
                Duration = Milliseconds(e.Duration),
                Deadline = e.Deadline.UnixMilliseconds,
            },
            m => new(m.Assignment, m.Worker, ToDomain(m.Shards), ToInstant(m.At), ToDuration(m.Duration), ToInstant(m.Deadline))),
        Contract.Of<AssignmentRenewed, P.AssignmentRenewed>("job.assignment-renewed.v1",
            e => new() { Assignment = e.Assignment, Deadline = e.Deadline.UnixMilliseconds },
            m => new(m.Assignment, ToInstant(m.Deadline))),
        Contract.Of<AssignmentsRestarted, P.AssignmentsRestarted>("job.assignments-restarted.v1",
            e => new() { At = e.At.UnixMilliseconds },
            m => new(ToInstant(m.At))),
        Contract.Of<ShardsCompleted, P.ShardsCompleted>("job.shards-completed.v1",
            e => new() { Assignment = e.Assignment, Results = { e.Results.Select(ToMessage) } },
            m => new(m.Assignment, ToDomain(m.Results))),
        Contract.Of<ShardFailed, P.ShardFailed>("job.shard-failed.v1",
            e => new() { Assignment = e.Assignment, Shard = (ulong)e.Shard, Reason = e.Reason, Permanent = e.Permanent, At = e.At.UnixMilliseconds },
            m => new(m.Assignment, ToLong(m.Shard), m.Reason, m.Permanent, ToInstant(m.At))),
        Contract.Of<AssignmentEnded, P.AssignmentEnded>("job.assignment-ended.v1",
            e => new() { Assignment = e.Assignment, Lost = e.Lost, At = e.At.UnixMilliseconds },
            m => new(m.Assignment, m.Lost, ToInstant(m.At))),
        Contract.Of<JobPaused, P.JobPaused>("job.paused.v1",
            e => new() { By = e.By, At = e.At.UnixMilliseconds },
            m => new(m.By, ToInstant(m.At))),
        Contract.Of<JobResumed, P.JobResumed>("job.resumed.v1",
            e => new() { By = e.By, At = e.At.UnixMilliseconds },
            m => new(m.By, ToInstant(m.At))),
        Contract.Of<JobStopping, P.JobStopping>("job.stopping.v1",
            e => new() { End = ToMessage(e.End) },
            m => new(ToDomain(m.End))),
        Contract.Of<JobEnded, P.JobEnded>("job.ended.v1", JobEnded, JobEnded),
    ];

    private static P.JobEnded JobEnded(JobEnded e)
    {
        var message = new P.JobEnded { End = ToMessage(e.End), Digest = e.Digest };
        if (e.FirstDifference is { } offset)
        {
            message.FirstDifference = (ulong)offset;
        }

        return message;
    }

    private static JobEnded JobEnded(P.JobEnded m) =>
        new(ToDomain(m.End), m.Digest, m.HasFirstDifference ? ToLong(m.FirstDifference) : null);
}
