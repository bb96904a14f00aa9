using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Working;

/// <summary>What a task may count on while it runs.</summary>
/// <param name="Lease">Must hold for every write.</param>
/// <param name="AskRoom">Grants room for the assignment: the request's number, bytes wanted, and the least that is of use. Blocks.</param>
/// <param name="Cancel">The task is not wanted any more.</param>
public sealed record TaskScope(WorkLease Lease, Func<int, long, long, RoomGrant> AskRoom, CancellationToken Cancel)
{
    /// <summary>The room that the task's shards take from; set by the first that needs any.</summary>
    public GrantedRoom? Room { get; set; }
}
