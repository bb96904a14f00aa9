using ImageCluster.Jobs.Execution;
using static ImageCluster.Jobs.Contracts.JobValueMapping;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Jobs.Contracts.V1;

namespace ImageCluster.Jobs.Contracts;

/// <summary>The commands to a job's record, one contract each.</summary>
internal static class JobCommandContracts
{
    public static IReadOnlyList<Contract> All { get; } =
    [
        Contract.Of<SubmitJob, P.SubmitJob>("job.submit.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds, Spec = ToMessage(c.Spec), Settings = ToMessage(c.Settings) },
            m => new(m.JobId, ToInstant(m.At), ToDomain(m.Spec), ToDomain(m.Settings))),
        Contract.Of<NoteUses, P.NoteUses>("job.note-uses.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds, Uses = { c.Uses.Select(ToMessage) } },
            m => new(m.JobId, ToInstant(m.At), ToDomain(m.Uses))),
        Contract.Of<ProbeAgain, P.ProbeAgain>("job.probe-again.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds, Uses = { c.Uses.Select(ToMessage) } },
            m => new(m.JobId, ToInstant(m.At), ToDomain(m.Uses))),
        Contract.Of<PlanJob, P.PlanJob>("job.plan.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds, Plan = ToMessage(c.Plan) },
            m => new(m.JobId, ToInstant(m.At), ToDomain(m.Plan))),
        Contract.Of<StartShards, P.StartShards>("job.start-shards.v1",
            c => new()
            {
                JobId = c.JobId,
                At = c.At.UnixMilliseconds,
                Worker = c.Worker,
                Count = c.Count,
                Duration = Milliseconds(c.Duration),
                UsableUntil = c.UsableUntil.UnixMilliseconds,
            },
            m => new(m.JobId, ToInstant(m.At), m.Worker, m.Count, ToDuration(m.Duration), ToInstant(m.UsableUntil))),
        Contract.Of<RenewAssignment, P.RenewAssignment>("job.renew-assignment.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds, Assignment = c.Assignment, UsableUntil = c.UsableUntil.UnixMilliseconds },
            m => new(m.JobId, ToInstant(m.At), m.Assignment, ToInstant(m.UsableUntil))),
        Contract.Of<CompleteShards, P.CompleteShards>("job.complete-shards.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds, Assignment = c.Assignment, Results = { c.Results.Select(ToMessage) } },
            m => new(m.JobId, ToInstant(m.At), m.Assignment, ToDomain(m.Results))),
        Contract.Of<FailShard, P.FailShard>("job.fail-shard.v1",
            c => new()
            {
                JobId = c.JobId,
                At = c.At.UnixMilliseconds,
                Assignment = c.Assignment,
                Shard = (ulong)c.Shard,
                Reason = c.Reason,
                Permanent = c.Permanent,
            },
            m => new(m.JobId, ToInstant(m.At), m.Assignment, ToLong(m.Shard), m.Reason, m.Permanent)),
        Contract.Of<HandBack, P.HandBack>("job.hand-back.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds, Assignment = c.Assignment },
            m => new(m.JobId, ToInstant(m.At), m.Assignment)),
        Contract.Of<ExpireAssignments, P.ExpireAssignments>("job.expire-assignments.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds },
            m => new(m.JobId, ToInstant(m.At))),
        Contract.Of<RestartAssignments, P.RestartAssignments>("job.restart-assignments.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds },
            m => new(m.JobId, ToInstant(m.At))),
        Contract.Of<PauseJob, P.PauseJob>("job.pause.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds, By = c.By },
            m => new(m.JobId, ToInstant(m.At), m.By)),
        Contract.Of<ResumeJob, P.ResumeJob>("job.resume.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds, By = c.By },
            m => new(m.JobId, ToInstant(m.At), m.By)),
        Contract.Of<CancelJob, P.CancelJob>("job.cancel.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds, By = c.By },
            m => new(m.JobId, ToInstant(m.At), m.By)),
        Contract.Of<FailJob, P.FailJob>("job.fail.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds, Reason = c.Reason },
            m => new(m.JobId, ToInstant(m.At), m.Reason)),
        Contract.Of<NoteReleased, P.NoteReleased>("job.note-released.v1",
            c => new() { JobId = c.JobId, At = c.At.UnixMilliseconds },
            m => new(m.JobId, ToInstant(m.At))),
    ];
}
