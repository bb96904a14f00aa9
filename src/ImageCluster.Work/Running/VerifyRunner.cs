using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Operations.Verifying;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Running;

/// <summary>
/// Reads shards of a convert's target back: takes their digest, which the job compares with the one taken while copying, or compares them with the
/// source.
/// </summary>
internal sealed class VerifyRunner(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (ConvertSpec)task.Spec;
        StagingArea staging = files.Staging(spec.Target, task.JobId);
        // Of a target that stands on another image no digest was taken: its source has more than what was copied.
        bool compares = spec.Verify == VerifyMode.Compare || spec.Backing is not null;
        using OpenedSource? source = compares ? files.OpenSource(spec, staging) : null;
        IFileLocator locator = staging.Locator(files.Roots.Locator);
        using LayeredDisk target = new ChainOpener(locator).Open(staging.FinalPath, files.ChainOfTarget(spec));
        if (target.VirtualSize != task.Planned.VirtualSize)
        {
            throw new ImageException(ImageErrorKind.Corrupt, staging.FinalPath,
                $"The target has {target.VirtualSize:#,0} bytes, not {task.Planned.VirtualSize:#,0}");
        }

        long read = 0;
        // A disk that is one shard to the job is folded piece by piece, so that memory does not depend on its size.
        long verifyShards = task.Planned.Stages.First(stage => stage.Kind == StageKind.Verify).Shards;
        bool isWhole = verifyShards == 1;
        var tree = new GuestDigestTree(target.VirtualSize);
        IReadOnlyList<GuestDigestPart> digest = [];
        VerifyResult result = new DiskVerifier(target, source?.Disk, new VerifyOptions
        {
            Threads = 1,
            TakesDigest = spec.TakesDigest,
            Throttle = bytes =>
            {
                scope.Pass(bytes);
                read += bytes;
            },
            ShardLength = isWhole ? JobPlanner.ReadShardLength : task.Planned.ShardLength,
            ShardVerified = (_, parts) =>
            {
                digest = parts;
                tree.Add(parts);
            },
        }).Run(shard, isWhole ? long.MaxValue : shard + 1, scope.Cancel);
        source?.Watch.RequireUnchanged();
        Range64 range = task.Planned.RangeOf(shard);
        return new ShardResult
        {
            Shard = shard,
            Digest = !result.Identical || digest.Count == 0 ? [] : isWhole ? [tree.Top()] : [.. digest],
            BytesRead = read,
            FirstDifference = result.DifferenceAt is { } offset ? Math.Clamp(offset, range.Start, Math.Max(range.Start, range.End - 1)) : null,
        };
    }
}
