using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations.Committing;
using ImageCluster.Imaging.Operations.Comparing;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;

namespace ImageCluster.Work.Running;

/// <summary>
/// Writes what the images above a commit's base hold into that base, and empties the top when all of it is there. Several workers write at once into a raw base,
/// in which every byte has its place, and into one that takes shards (<see cref="ShardedMerging"/>); into any other one worker.
/// </summary>
/// <param name="files">The job's images.</param>
/// <param name="wholeThreads">Threads for a base that one worker writes to.</param>
internal sealed class CommitRunner(JobFiles files, int wholeThreads) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        switch (task.Stage)
        {
            case StageKind.Prepare:
                return Prepare(task, shard, scope);
            case StageKind.Merge:
                return Merge(task, shard, scope);
            case StageKind.Finish when ShardedMerging.IsPlanned(task):
                (_, string into, string format) = FindBase((CommitSpec)task.Spec);
                ShardedMerging.Finish(files, into, format, task, scope);
                break;
            case StageKind.CleanUp:
                (_, into, format) = FindBase((CommitSpec)task.Spec);
                ShardedMerging.Abandon(files, into, format, task, scope);
                break;
            case StageKind.Empty:
                Empty(task, (CommitSpec)task.Spec, scope);
                break;
            default:
                // Each shard was durable when it was reported.
                break;
        }

        return new ShardResult { Shard = shard };
    }

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
        (int index, string path, string format) = FindBase(spec);
        bool takesShards = ShardedMerging.IsPlanned(task);
        bool shared = takesShards || format == "raw";
        if (!shared && task.Planned.Stages.Any(stage => stage is { Kind: StageKind.Merge, Shards: > 1 }))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, path, "It is not what it was when the job was planned");
        }

        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        using LayeredDisk disk = OpenChain(task, index, locator, shared ? ImageLock.SharedWrite : ImageLock.Default, takesShards ? ShardedMerging.RoomOf(task, scope) : null);
        long read = 0;
        var committer = new Committer(disk, index, new ConvertOptions
        {
            Threads = shared ? 1 : wholeThreads,
            Throttle = bytes =>
            {
                scope.Pass(bytes);
                Interlocked.Add(ref read, bytes);
            },
        }, takesShards ? task.Planned.ShardLength : null);
        if (shared)
        {
            committer.Run(shard, shard + 1, scope.Cancel);
        }
        else
        {
            committer.Run(scope.Cancel);
        }

        return takesShards
            ? ShardedMerging.Merged(disk.Layers[index], task, shard, read)
            : new ShardResult { Shard = shard, BytesRead = read, BytesWritten = read };
    }

    private ShardResult Prepare(WorkTask task, long shard, TaskScope scope)
    {
        (int index, _, _) = FindBase((CommitSpec)task.Spec);
        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        using LayeredDisk disk = OpenChain(task, index, locator, ImageLock.Default, room: null);
        new Committer(disk, index, new ConvertOptions()).Grow();
        return ShardedMerging.Prepare(disk.Layers[index], task, shard);
    }

    // The base alone open for writing.
    private LayeredDisk OpenChain(WorkTask task, int index, FencedLocator locator, ImageLock locks, IRoom? room)
    {
        var spec = (CommitSpec)task.Spec;
        var watch = new SourceWatch(locator);
        LayeredDisk disk = new ChainOpener(watch).Open(files.Roots.PathOf(spec.Top), files.ChainFor(spec, spec.Top, spec.TopFormat) with
        {
            Mode = OpenMode.ReadWrite with { Lock = locks },
            WritableLayers = 0,
            WritableBase = index,
            Room = room,
        });
        try
        {
            files.RequireProbed(task, watch);
            return disk;
        }
        catch
        {
            disk.Dispose();
            throw;
        }
    }

    private (int Index, string Path, string Format) FindBase(CommitSpec spec)
    {
        using LayeredDisk disk = new ChainOpener(files.Roots.Locator).Open(
            files.Roots.PathOf(spec.Top), files.ChainFor(spec, spec.Top, spec.TopFormat) with { Mode = OpenMode.ReadOnly with { Lock = ImageLock.None } });
        int index = BaseIndex(files, disk, spec);
        return (index, disk.Layers[index].FileName, disk.Layers[index].FormatName);
    }

    private void Empty(WorkTask task, CommitSpec spec, TaskScope scope)
    {
        RequireMerged(task, spec, scope);
        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        // Alone: a base that was written to may not be the one any more that the top was made on, by the identity in its header.
        using LayeredDisk top = new ChainOpener(locator).Open(files.Roots.PathOf(spec.Top), files.ChainFor(spec, spec.Top, spec.TopFormat) with
        {
            Mode = OpenMode.ReadWrite,
            FollowBacking = false,
        });
        Committer.EmptyTop(top);
        top.Flush();
    }

    // What was written to the top behind the last shard is in no base. Where the top is not what it was (an attempt of which nobody heard may have begun to
    // empty it), it must show what its base shows.
    private void RequireMerged(WorkTask task, CommitSpec spec, TaskScope scope)
    {
        using OpenedSource top = files.OpenSource(spec, spec.Top, spec.TopFormat);
        try
        {
            files.RequireProbed(task, top.Watch);
        }
        catch (SourceChangedException)
        {
            // Not disposed of: its layers are the top's.
            LayeredDisk below = new(top.Disk.Layers.Skip(1));
            var comparer = new Comparer(top.Disk, below, new CompareOptions { Threads = wholeThreads, Throttle = scope.Pass });
            if (!comparer.Run(scope.Cancel).Identical)
            {
                throw;
            }
        }
    }
}
