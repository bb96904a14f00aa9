using ImageCluster.Imaging.Operations;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs.Execution;

/// <summary>The steps of each operation.</summary>
public static class JobPlanner
{
    /// <summary>Shards of what is only read: 512 MiB.</summary>
    public const long ReadShardLength = 512L << 20;

    public static JobPlan Plan(JobSpec spec, JobGeometry geometry) => spec switch
    {
        ConvertSpec convert => Convert(convert, geometry),
        CompareSpec => Cut(geometry.VirtualSize, ReadShardLength, shards => [new StagePlan(StageKind.Compare, shards)]),
        CommitSpec commit => Merge(geometry, commit.EmptiesTop ? [new StagePlan(StageKind.Empty, 1)] : []),
        RebaseSpec { Unsafe: true } => Cut(geometry.VirtualSize, ReadShardLength, _ => [new StagePlan(StageKind.Relink, 1)]),
        RebaseSpec => Merge(geometry, [new StagePlan(StageKind.Relink, 1)]),
        GatherSpec => Cut(0, ReadShardLength, _ => [new StagePlan(StageKind.Gather, 1)]),
        ChangeSpec { Change: UsePurpose.Create } => Creation(geometry),
        ChangeSpec => Cut(geometry.VirtualSize, ReadShardLength, _ => [new StagePlan(StageKind.Change, 1)]),
        _ => throw new ArgumentOutOfRangeException(nameof(spec), spec.Operation, "Not an operation that has a plan."),
    };

    private static JobPlan Creation(JobGeometry geometry)
    {
        JobPlan plan = Cut(geometry.VirtualSize, ReadShardLength, _ => [new StagePlan(StageKind.Create, 1), new StagePlan(StageKind.Install, 1)]);
        return plan with { CleanUp = true };
    }

    private static JobPlan Merge(JobGeometry geometry, StagePlan[] then)
    {
        JobPlan plan = Sharded(geometry, shards =>
        [
            .. geometry.TakesRoom ? [new StagePlan(StageKind.Prepare, 1)] : Array.Empty<StagePlan>(),
            new StagePlan(StageKind.Merge, shards),
            new StagePlan(StageKind.Finish, 1),
            .. then,
        ]);
        return plan with { CleanUp = geometry.TakesRoom };
    }

    private static JobPlan Convert(ConvertSpec convert, JobGeometry geometry)
    {
        JobPlan plan = Sharded(geometry, shards =>
        [
            new StagePlan(StageKind.Create, 1),
            new StagePlan(StageKind.Copy, shards),
            new StagePlan(StageKind.Finish, 1),
            .. convert.Verify == VerifyMode.None ? Array.Empty<StagePlan>() : [new StagePlan(StageKind.Verify, shards)],
            new StagePlan(StageKind.Install, 1),
        ]);
        return plan with { CleanUp = true };
    }

    // Where shards cannot be told apart, or would not be whole leaves of the digest, the disk is one.
    private static JobPlan Sharded(JobGeometry geometry, Func<long, IEnumerable<StagePlan>> stages) =>
        geometry.ShardsIndependent && geometry.ShardLength % GuestDigest.LeafLength == 0
            ? Cut(geometry.VirtualSize, geometry.ShardLength, stages)
            : Cut(geometry.VirtualSize, WholeDisk(geometry.VirtualSize), stages);

    private static JobPlan Cut(long virtualSize, long shardLength, Func<long, IEnumerable<StagePlan>> stages) => new()
    {
        VirtualSize = virtualSize,
        ShardLength = shardLength,
        Stages = [.. stages(JobPlan.CountShards(virtualSize, shardLength))],
    };

    private static long WholeDisk(long virtualSize) => (long)Int128.Min(
        (Int128)Math.Max(1, GuestDigest.LeafCount(virtualSize)) * GuestDigest.LeafLength,
        long.MaxValue / GuestDigest.LeafLength * GuestDigest.LeafLength);
}
