using System.Collections.Immutable;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Cluster.Messages.V1;

namespace ImageCluster.Cluster.Serialization;

/// <summary>What jobs, the scheduler and workers say to each other, one contract each.</summary>
internal static class WorkMessageContracts
{
    public static IReadOnlyList<Contract> All { get; } =
    [
        Contract.Of<WorkWanted, P.WorkWanted>("work.wanted.v1",
            c => new() { Worker = c.Worker, FreeSlots = c.FreeSlots, Roots = { c.Roots }, Slots = c.Slots },
            m => new(m.Worker, m.FreeSlots, [.. m.Roots]) { Slots = m.Slots }),
        Contract.Of<DescribeQueue, P.DescribeQueue>("work.describe-queue.v1", _ => new(), _ => new()),
        Contract.Of<QueueDescription, P.QueueDescription>("work.queue.v1",
            r => new() { Workers = { r.Workers.Select(Worker) }, Jobs = r.Jobs, Waiting = (ulong)r.Waiting, InWork = (ulong)r.InWork },
            m => new([.. m.Workers.Select(Worker)], m.Jobs, ToLong(m.Waiting), ToLong(m.InWork))),
        Contract.Of<WorkOffered, P.WorkOffered>("work.offered.v1",
            c => new()
            {
                JobId = c.JobId,
                Priority = c.Priority,
                Waiting = (ulong)c.Waiting,
                InWork = (ulong)c.InWork,
                Roots = { c.Roots },
                LastGiven = c.LastGiven,
                Limits = { c.Limits },
            },
            m => new(m.JobId, m.Priority, ToLong(m.Waiting), ToLong(m.InWork), [.. m.Roots], m.LastGiven)
            {
                Limits = m.Limits.ToImmutableSortedDictionary(StringComparer.Ordinal),
            }),
        Contract.Of<GiveWork, P.GiveWork>("work.give.v1",
            c => new() { JobId = c.JobId, Worker = c.Worker, Number = c.Number, Share = c.Share },
            m => new(m.JobId, m.Worker, m.Number) { Share = m.Share }),
        Contract.Of<ShardTask, P.ShardTask>("work.task.v1", Task, Task),
        Contract.Of<ReserveBytes, P.ReserveBytes>("work.reserve-bytes.v1",
            c => new() { Rate = c.Rate, BytesPerSecond = c.BytesPerSecond, Worker = c.Worker, Bytes = c.Bytes },
            m => new(m.Rate, m.BytesPerSecond, m.Worker, m.Bytes)),
        Contract.Of<BytesReserved, P.BytesReserved>("work.bytes-reserved.v1",
            r => new() { Rate = r.Rate, Bytes = r.Bytes, Wait = (long)r.Wait.TotalMicroseconds },
            m => new(m.Rate, m.Bytes, TimeSpan.FromMicroseconds(m.Wait))),
        Contract.Of<AbandonTask, P.AbandonTask>("work.abandon.v1",
            c => new() { JobId = c.JobId, Assignment = c.Assignment },
            m => new(m.JobId, m.Assignment)),
        Contract.Of<ListCopied, P.ListCopied>("work.list-copied.v1",
            c => new() { JobId = c.JobId, From = (ulong)c.From },
            m => new(m.JobId, ToLong(m.From))),
        Contract.Of<CopiedShards, P.CopiedShards>("job.copied-shards.v1", Copied, Copied),
        Contract.Of<JobDone, P.JobDone>("job.done.v1",
            r => new() { JobId = r.JobId },
            m => new(m.JobId)),
        Contract.Of<AssignmentHeld, P.AssignmentHeld>("job.assignment-held.v1",
            r => new() { JobId = r.JobId, Assignment = r.Assignment, Remaining = Milliseconds(r.Remaining) },
            m => new(m.JobId, m.Assignment, ImageMessageContracts.ToRemaining(m.Remaining))),
        Contract.Of<JobRefused, P.JobRefused>("job.refused.v1",
            r => new() { JobId = r.JobId, Refusal = ToMessage(r.Refusal) },
            m => new(m.JobId, ToDomain(m.Refusal ?? throw new ArgumentException("the refusal is missing")))),
    ];

    private static P.WorkerDescription Worker(WorkerDescription worker) => new()
    {
        Worker = worker.Worker,
        Address = worker.Address,
        Slots = worker.Slots,
        FreeSlots = worker.FreeSlots,
        Roots = { worker.Roots },
    };

    private static WorkerDescription Worker(P.WorkerDescription worker) =>
        new(worker.Worker, worker.Address, worker.Slots, worker.FreeSlots, [.. worker.Roots]);

    private static P.ShardTask Task(ShardTask c)
    {
        var message = new P.ShardTask
        {
            JobId = c.JobId,
            Assignment = c.Assignment,
            Stage = (int)c.Stage,
            Shards = ToMessage(c.Shards),
            Spec = JobValueMapping.ToMessage(c.Spec),
            TargetToken = c.TargetToken,
            Rates = { c.Rates.Select(rate => new P.TaskRate { Name = rate.Name, BytesPerSecond = rate.BytesPerSecond, Times = rate.Times }) },
            Probed = c.Probed,
            FinishedFile = c.FinishedFile,
        };
        if (c.Plan is not null)
        {
            message.Plan = JobValueMapping.ToMessage(c.Plan);
        }

        if (c.Layout is not null)
        {
            message.Layout = ToMessage(c.Layout);
        }

        if (c.Target is not null)
        {
            message.Target = ToMessage(c.Target);
        }

        return message;
    }

    private static ShardTask Task(P.ShardTask m) => new(
        m.JobId, m.Assignment, ToEnum<StageKind>(m.Stage), ToDomain(m.Shards), JobValueMapping.ToDomain(m.Spec),
        m.Plan is null ? null : JobValueMapping.ToDomain(m.Plan), m.Layout is null ? null : ToDomain(m.Layout), m.TargetToken)
    {
        Target = m.Target is null ? null : ToDomain(m.Target),
        Rates =
        [
            .. m.Rates.Select(rate => new TaskRate(rate.Name, rate.BytesPerSecond, rate.Times)),
            .. m.BytesPerSecond > 0 ? [new TaskRate($"task {m.JobId}/{m.Assignment}", m.BytesPerSecond, 1)] : Array.Empty<TaskRate>(),
        ],
        Probed = m.Probed,
        FinishedFile = m.FinishedFile,
    };

    private static P.CopiedShards Copied(CopiedShards r)
    {
        var message = new P.CopiedShards
        {
            JobId = r.JobId,
            Shards = { r.Manifests.Select(manifest => new P.CopiedShard { Shard = (ulong)manifest.Shard, Manifest = ToMessage(manifest) }) },
        };
        if (r.Next is { } next)
        {
            message.Next = (ulong)next;
        }

        return message;
    }

    private static CopiedShards Copied(P.CopiedShards m) =>
        new(m.JobId, [.. m.Shards.Select(shard => ToDomain(shard.Manifest, ToLong(shard.Shard)))], m.HasNext ? ToLong(m.Next) : null);
}
