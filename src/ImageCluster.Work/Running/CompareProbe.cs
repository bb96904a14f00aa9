using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Gathering;

namespace ImageCluster.Work.Running;

/// <summary>Looks at the two images of a comparison.</summary>
internal sealed class CompareProbe(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (CompareSpec)task.Spec;
        using OpenedSource first = files.OpenSource(spec, spec.First, spec.FirstFormat);
        using OpenedSource second = files.OpenSource(spec, spec.Second, spec.SecondFormat);
        long size = Math.Max(first.Disk.VirtualSize, second.Disk.VirtualSize);
        return new ShardResult
        {
            Shard = shard,
            Detail = FindingsCodec.Encode(new ProbeFindings
            {
                Geometry = new JobGeometry(size, JobPlanner.ReadShardLength, ShardsIndependent: true),
                Chains = [files.ChainOf(spec.First, first.Disk), files.ChainOf(spec.Second, second.Disk)],
                Fingerprint = $"{first.Watch.SharedFingerprint(files.Roots)}\n{second.Watch.SharedFingerprint(files.Roots)}",
                DataBytes = DataBytes(first, scope) + DataBytes(second, scope),
            }),
        };
    }

    private static long DataBytes(OpenedSource source, TaskScope scope) =>
        SourceInspector.DataBytes(source.Disk, source.Disk.Layers.Count, 0, source.Disk.VirtualSize, scope.Cancel);
}
