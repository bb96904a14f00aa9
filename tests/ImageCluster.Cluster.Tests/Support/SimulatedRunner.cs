using System.Collections.Concurrent;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Running;

namespace ImageCluster.Cluster.Tests.Support;

/// <summary>Says of every step that it is done, as a worker that did it would, without any image.</summary>
internal sealed class SimulatedRunner : IShardRunner
{
    public const long ShardLength = 512L << 20;

    /// <summary>Of every job.</summary>
    public int Shards { get; init; } = 20;

    /// <summary>Called before each shard, on its task's thread; may wait and may throw.</summary>
    public Action<WorkTask, long, TaskScope> Before { get; set; } = static (_, _, _) => { };

    /// <summary>What each image stands on.</summary>
    public Func<ImageName, ImageName?> BackingOf { get; set; } = static _ => null;

    /// <summary>The guest offset of the first byte that differs in a shard of a comparison.</summary>
    public Func<long, long?> DifferenceIn { get; set; } = static _ => null;

    /// <summary>How long a copied shard takes.</summary>
    public TimeSpan ShardTime { get; init; }

    /// <summary>False where there are too many steps to remember.</summary>
    public bool KeepsDone { get; init; } = true;

    /// <summary>Steps that were done to their end.</summary>
    public ConcurrentQueue<(string JobId, StageKind Stage, long Shard)> Done { get; } = new();

    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        Before(task, shard, scope);
        if (task.Stage == StageKind.Copy && ShardTime > TimeSpan.Zero)
        {
            scope.Cancel.WaitHandle.WaitOne(ShardTime);
        }

        scope.Lease.Require();
        ShardResult result = Result(task, shard, scope);
        if (KeepsDone)
        {
            Done.Enqueue((task.JobId, task.Stage, shard));
        }

        return result;
    }

    private ShardResult Result(WorkTask task, long shard, TaskScope scope)
    {
        var result = new ShardResult { Shard = shard };
        switch (task.Stage)
        {
            case StageKind.Probe:
                return result with { Detail = FindingsCodec.Encode(Find(task.Spec)) };
            case StageKind.Create:
                return result with { Detail = FindingsCodec.Encode(new FillLayout { Shards = Shards, RoomStart = 1 << 20, RoomAlignment = 65536 }) };
            case StageKind.Copy:
                GrantedRoom room = scope.Room ??= new GrantedRoom(scope.AskRoom, static _ => { }, 1 << 26);
                long at = room.Reserve(1 << 20, 65536);
                return result with
                {
                    Manifest = new ShardManifest(shard, [at], [new RoomExtent(at, 1 << 20)], 1 << 20),
                    Digest = [new GuestDigestPart(shard * (ShardLength / GuestDigest.LeafLength), 9, GuestHash.Of("x"u8))],
                    BytesRead = ShardLength,
                    BytesWritten = 1 << 20,
                };
            case StageKind.Finish when task.Spec is ConvertSpec:
                HashSet<long> shards = [.. scope.AskManifests().Select(manifest => manifest.Shard)];
                return shards.Count == Shards ? result : throw new InvalidOperationException($"{shards.Count} shards were copied");
            case StageKind.Compare:
                return result with { FirstDifference = DifferenceIn(shard) };
            default:
                return result;
        }
    }

    private ProbeFindings Find(JobSpec spec)
    {
        ImageName? target = (spec as ConvertSpec)?.Target;
        return new ProbeFindings
        {
            Geometry = new JobGeometry(Shards * ShardLength, ShardLength, ShardsIndependent: true),
            Chains = [.. spec.Images.Where(image => image != target).Select(image => new ProbedChain(image, [.. Chain(image).Select(layer => new ProbedImage(layer, "qcow2", Shards * ShardLength))]))],
        };
    }

    private IEnumerable<ImageName> Chain(ImageName image)
    {
        for (ImageName? layer = image; layer is not null; layer = BackingOf(layer))
        {
            yield return layer;
        }
    }
}
