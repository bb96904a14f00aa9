using ImageCluster.Imaging.Operations.Comparing;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Gathering;

namespace ImageCluster.Work.Running;

/// <summary>Compares shards of two disks. The lowest difference of all shards is the one that comparing the whole disks finds.</summary>
internal sealed class CompareRunner(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (CompareSpec)task.Spec;
        using OpenedSource first = files.OpenSource(spec, spec.First, spec.FirstFormat);
        using OpenedSource second = files.OpenSource(spec, spec.Second, spec.SecondFormat);
        files.RequireProbed(task, first.Watch);
        files.RequireProbed(task, second.Watch);
        long read = 0;
        CompareResult result = Compare(first, second, task.Planned.RangeOf(shard), scope, spec.Strict, bytes => read += bytes);
        first.Watch.RequireUnchanged();
        second.Watch.RequireUnchanged();
        bool sizesDiffer = first.Disk.VirtualSize != second.Disk.VirtualSize;
        return result.Identical
            ? new ShardResult { Shard = shard, BytesRead = read }
            : new ShardResult
            {
                Shard = shard,
                BytesRead = read,
                FirstDifference = result.Offset,
                Detail = FindingsCodec.Encode(new CompareFindings(result.Verdict, sizesDiffer)),
            };
    }

    private static CompareResult Compare(OpenedSource first, OpenedSource second, Range64 range, TaskScope scope, bool strict, Action<int> read)
    {
        if (strict && first.Disk.VirtualSize != second.Disk.VirtualSize)
        {
            // That is all there is to say, and the first shard says it.
            return range.Start == 0
                ? new CompareResult(CompareVerdict.SizeDiffers, 0, SizesDiffer: true)
                : new CompareResult(CompareVerdict.Identical, 0, SizesDiffer: true);
        }

        return new Comparer(first.Disk, second.Disk, new CompareOptions
        {
            Strict = strict,
            Threads = 1,
            Throttle = bytes =>
            {
                scope.Pass(bytes);
                read(bytes);
            },
        }).Run(range.Start, range.End, scope.Cancel);
    }
}
