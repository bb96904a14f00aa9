using System.Collections.Immutable;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Messages;

/// <summary>A worker to the scheduler, when its slots become free or taken and now and then: it can take so many tasks.</summary>
/// <param name="Worker">Its id, which is another one after a restart.</param>
/// <param name="FreeSlots">0 for none.</param>
/// <param name="Roots">Names of the roots that it reaches.</param>
public sealed record WorkWanted(string Worker, int FreeSlots, ImmutableSortedSet<string> Roots)
{
    /// <summary>All that it has, free or not; for people.</summary>
    public int Slots { get; init; }
}

/// <summary>A job to the scheduler, when something changes and now and then: it has so much to give out.</summary>
/// <param name="Priority">0 (last) to 100 (first).</param>
/// <param name="Waiting">Tasks that could be given out now, the job's own limit considered.</param>
/// <param name="InWork">Tasks that workers have.</param>
/// <param name="Roots">A worker must reach them all.</param>
/// <param name="LastGiven">The <see cref="GiveWork.Number"/> that it got last: what came later is not in the other numbers yet.</param>
public sealed record WorkOffered(string JobId, int Priority, long Waiting, long InWork, ImmutableSortedSet<string> Roots, long LastGiven)
{
    /// <summary>Limits that it shares with other jobs: <see cref="JobSettings.SharedLimits"/>.</summary>
    public ImmutableSortedDictionary<string, int> Limits { get; init; } = ImmutableSortedDictionary<string, int>.Empty;
}

/// <summary>The scheduler to a job: give one task to the worker that is the message's sender.</summary>
/// <param name="Number">Rises with each that a job gets.</param>
public sealed record GiveWork(string JobId, string Worker, long Number)
{
    /// <summary>Tasks that the job can count on at a time, by the workers' slots and the jobs that wait for them; 0 where nobody counted.</summary>
    public int Share { get; init; }
}

/// <summary>
/// A job to a worker: shards of a step. The worker first renews the assignment, since only from its own asking on does it know how long
/// it may work.
/// </summary>
/// <param name="Assignment">Fencing token.</param>
/// <param name="Plan">Null where the images are still to be looked at (<see cref="StageKind.Probe"/>).</param>
/// <param name="Layout">Of the target's room, as <see cref="StageKind.Create"/> or <see cref="StageKind.Prepare"/> found it; null for a step that needs none.</param>
/// <param name="TargetToken">The job's lease on the target.</param>
public sealed record ShardTask(string JobId, long Assignment, StageKind Stage, RangeSet Shards, JobSpec Spec, JobPlan? Plan, FillLayout? Layout,
    long TargetToken)
{
    /// <summary>The image that shards are written to, whose record grants room; null for a job without, and from a job that does not say (a convert's is in its spec).</summary>
    public ImageName? Target { get; init; }

    /// <summary>The image that room is asked of; null where there is none.</summary>
    public ImageName? RoomOf => Target ?? (Spec as ConvertSpec)?.Target;

    /// <summary>Rates that what this task reads and writes counts for.</summary>
    public ImmutableList<TaskRate> Rates { get; init; } = [];

    /// <summary>What <see cref="StageKind.Probe"/> found (<see cref="ImageCluster.Jobs.Contracts.FindingsCodec"/>), where the step needs it; else empty.</summary>
    public string Probed { get; init; } = "";

    /// <summary>By what the finished target is known, for <see cref="StageKind.Install"/>; else empty.</summary>
    public string FinishedFile { get; init; } = "";
}

/// <summary>A rate that a task keeps to, together with all others that name it.</summary>
/// <param name="Name">The scheduler keeps the rates apart by their names.</param>
/// <param name="BytesPerSecond">1 or more.</param>
/// <param name="Times">How many bytes of it a byte takes: 2 where a root is read from and written to.</param>
public sealed record TaskRate(string Name, long BytesPerSecond, int Times);

/// <summary>A worker to the scheduler: it wants to use so many bytes of a rate. Answered by <see cref="BytesReserved"/>.</summary>
/// <param name="Worker">One request of a worker at a time for each rate.</param>
/// <param name="Bytes">1 or more.</param>
public sealed record ReserveBytes(string Rate, long BytesPerSecond, string Worker, long Bytes);

/// <summary>The scheduler's answer: these bytes may be used, after some time.</summary>
/// <param name="Bytes">As many as were wanted, or fewer.</param>
/// <param name="Wait">From when the answer comes.</param>
public sealed record BytesReserved(string Rate, long Bytes, TimeSpan Wait);

/// <summary>
/// A worker to a job that is at <see cref="StageKind.Finish"/>: which shards were copied, and what lies where? Answered by <see cref="CopiedShards"/>, part
/// by part.
/// </summary>
/// <param name="From">The first shard to tell of.</param>
public sealed record ListCopied(string JobId, long From);

/// <summary>A job to a worker: nobody needs this any more; to be handed back.</summary>
public sealed record AbandonTask(string JobId, long Assignment);

/// <summary>What a job answers. All that led to it is stored by then.</summary>
public abstract record JobReply(string JobId);

/// <summary>It is as the command asked.</summary>
public sealed record JobDone(string JobId) : JobReply(JobId);

/// <summary>The answer to <see cref="RenewAssignment"/>. The worker counts from when it asked (see <see cref="UseGranted"/>).</summary>
public sealed record AssignmentHeld(string JobId, long Assignment, TimeSpan Remaining) : JobReply(JobId);

/// <summary>The answer to <see cref="ListCopied"/>: the manifests of copied shards that have one, as many as fit a message.</summary>
/// <param name="Next">The shard to ask from next; null where there are no more.</param>
public sealed record CopiedShards(string JobId, ImmutableList<ShardManifest> Manifests, long? Next) : JobReply(JobId);

/// <summary>The command was not carried out.</summary>
public sealed record JobRefused(string JobId, Refusal Refusal) : JobReply(JobId);
