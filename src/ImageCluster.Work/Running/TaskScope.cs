using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs.Images;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;

namespace ImageCluster.Work.Running;

/// <summary>What a task may count on while it runs.</summary>
/// <param name="Lease">Must hold for every write.</param>
/// <param name="AskRoom">Grants room for the assignment: the request's number, bytes wanted, and the least that is of use. Blocks.</param>
/// <param name="Cancel">The task is not wanted any more.</param>
public sealed record TaskScope(WorkLease Lease, Func<int, long, long, RoomGrant> AskRoom, CancellationToken Cancel)
{
    /// <summary>
    /// The manifests of all shards that were copied, each once, in any order: what <see cref="Jobs.Execution.StageKind.Finish"/> takes in. Blocks.
    /// </summary>
    public Func<IEnumerable<ShardManifest>> AskManifests { get; init; } = static () => [];

    /// <summary>Tells a migration what was found of its images; returns when it has that.</summary>
    public Action<GatheredPart> TellImages { get; init; } = static _ => { };

    /// <summary>Returns when so many bytes may be read (the job's rate); null for no limit.</summary>
    public Action<int>? Throttle { get; init; }

    /// <summary>The room that the task's shards take from; set by the first that needs any.</summary>
    public GrantedRoom? Room { get; set; }

    /// <summary>
    /// Keeps files open over the task's shards; whoever made it flushes it before he says that a shard is done. Null: each shard is durable by itself.
    /// </summary>
    public TaskFiles? Files { get; init; }

    /// <summary>Called before bytes are read: the place where a task stops that is not wanted, too fast, or without its lease.</summary>
    internal void Pass(int bytes)
    {
        Cancel.ThrowIfCancellationRequested();
        Lease.Require();
        Throttle?.Invoke(bytes);
    }
}
