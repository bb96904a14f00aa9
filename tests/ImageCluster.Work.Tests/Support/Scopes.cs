using ImageCluster.Jobs.Images;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Running;

namespace ImageCluster.Work.Tests.Support;

/// <summary>What tasks of tests may count on.</summary>
internal static class Scopes
{
    /// <summary>A lease that holds for as long as a test may take.</summary>
    public static WorkLease Lease()
    {
        var lease = new WorkLease(TimeProvider.System);
        lease.Extend(TimeProvider.System.GetTimestamp(), TimeSpan.FromHours(1));
        return lease;
    }

    public static TaskScope Of(Func<int, long, long, RoomGrant>? askRoom = null, CancellationToken cancel = default) =>
        new(Lease(), askRoom ?? ((_, _, _) => throw new InvalidOperationException("No room was to be asked for.")), cancel);
}
