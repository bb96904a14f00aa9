using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Operations.Committing;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Leases;

namespace ImageCluster.Work.Running;

/// <summary>
/// Writes what the images above a commit's base hold into that base, and empties the top when all of it is there. Into a raw base, in which every byte
/// has its place, several workers write at once; into any other one worker, through the engine's own writer.
/// </summary>
/// <param name="files">The job's images.</param>
/// <param name="wholeThreads">Threads for a base that one worker writes to.</param>
internal sealed class CommitRunner(JobFiles files, int wholeThreads) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        switch (task.Stage)
        {
            case StageKind.Merge:
                return Merge(task, shard, scope);
            case StageKind.Empty:
                Empty((CommitSpec)task.Spec, scope);
                break;
            default:
                // Each shard was durable when it was reported.
                break;
        }

        return new ShardResult { Shard = shard };
    }

    /// <summary>True where several processes may write to the image at once.</summary>
    public static bool IsShared(IImageLayer image) => image.FormatName == "raw";

    /// <summary>The base's place in the top's chain.</summary>
    public static int BaseIndex(JobFiles files, LayeredDisk disk, CommitSpec spec)
    {
        int index = spec.Base is { } named ? files.IndexIn(disk, named) : disk.Layers.Count > 1 ? 1 : -1;
        return index > 0 ? index : throw new ImageException(ImageErrorKind.InvalidArgument, disk.Top.FileName,
            spec.Base is null ? "Image does not have a backing file" : $"Did not find '{spec.Base}' in the backing chain");
    }

    private ShardResult Merge(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (CommitSpec)task.Spec;
        (int index, bool shared) = FindBase(spec);
        if (!shared && task.Planned.Stages.Any(stage => stage is { Kind: StageKind.Merge, Shards: > 1 }))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, files.Roots.PathOf(spec.Top), "The base is not what it was when the job was planned");
        }

        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        using LayeredDisk disk = new ChainOpener(locator).Open(files.Roots.PathOf(spec.Top), JobFiles.Chain with
        {
            Format = JobFiles.Stated(spec.TopFormat),
            Mode = OpenMode.ReadWrite with { Lock = shared ? ImageLock.SharedWrite : ImageLock.Default },
            WritableLayers = 0,
            WritableBase = index,
        });
        long read = 0;
        var committer = new Committer(disk, index, new ConvertOptions
        {
            Threads = shared ? 1 : wholeThreads,
            Throttle = bytes =>
            {
                scope.Pass(bytes);
                Interlocked.Add(ref read, bytes);
            },
        });
        if (shared)
        {
            committer.Run(shard, shard + 1, scope.Cancel);
        }
        else
        {
            committer.Run(scope.Cancel);
        }

        return new ShardResult { Shard = shard, BytesRead = read, BytesWritten = read };
    }

    private (int Index, bool Shared) FindBase(CommitSpec spec)
    {
        using LayeredDisk disk = new ChainOpener(files.Roots.Locator).Open(
            files.Roots.PathOf(spec.Top), JobFiles.Chain with { Format = JobFiles.Stated(spec.TopFormat), Mode = OpenMode.ReadOnly with { Lock = ImageLock.None } });
        int index = BaseIndex(files, disk, spec);
        return (index, IsShared(disk.Layers[index]));
    }

    private void Empty(CommitSpec spec, TaskScope scope)
    {
        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        // Alone: a base that was written to may not be the one any more that the top was made on, by the identity in its header.
        using LayeredDisk top = new ChainOpener(locator).Open(files.Roots.PathOf(spec.Top), JobFiles.Chain with
        {
            Format = JobFiles.Stated(spec.TopFormat),
            Mode = OpenMode.ReadWrite,
            FollowBacking = false,
        });
        Committer.EmptyTop(top);
        top.Flush();
    }
}
