using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Operations.Rebasing;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;

namespace ImageCluster.Work.Running;

/// <summary>
/// Merges into an image what differs between the backing file that it has and the one that it gets, and changes the name of its backing file when all
/// of that is there. Several workers merge into an image that takes shards (<see cref="ShardedMerging"/>), one into any other.
/// </summary>
/// <param name="files">The job's images.</param>
/// <param name="threads">Threads that read and compare.</param>
internal sealed class RebaseRunner(JobFiles files, int threads) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (RebaseSpec)task.Spec;
        switch (task.Stage)
        {
            case StageKind.Prepare:
                return Prepare(task, spec, shard, scope);
            case StageKind.Merge:
                return Merge(task, spec, shard, scope);
            case StageKind.Finish when ShardedMerging.IsPlanned(task):
                ShardedMerging.Finish(files, files.Roots.PathOf(spec.Image), JobFiles.Stated(spec.Format), task, scope);
                break;
            case StageKind.CleanUp:
                ShardedMerging.Abandon(files, files.Roots.PathOf(spec.Image), JobFiles.Stated(spec.Format), task, scope);
                break;
            case StageKind.Relink:
                Relink(task, spec, scope);
                break;
            default:
                // What was merged was durable when that was reported.
                break;
        }

        return new ShardResult { Shard = shard };
    }

    private ShardResult Prepare(WorkTask task, RebaseSpec spec, long shard, TaskScope scope)
    {
        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        using IImageLayer image = new ChainOpener(locator).OpenLayer(files.Roots.PathOf(spec.Image), files.ChainFor(spec, spec.Image, spec.Format) with
        {
            Mode = OpenMode.ReadWrite,
        });
        return ShardedMerging.Prepare(image, task, shard);
    }

    private ShardResult Merge(WorkTask task, RebaseSpec spec, long shard, TaskScope scope)
    {
        bool takesShards = ShardedMerging.IsPlanned(task);
        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        var watch = new SourceWatch(locator);
        using LayeredDisk image = new ChainOpener(watch).Open(files.Roots.PathOf(spec.Image), files.ChainFor(spec, spec.Image, spec.Format) with
        {
            Mode = OpenMode.ReadWrite with { Lock = takesShards ? ImageLock.SharedWrite : ImageLock.Default },
            Room = takesShards ? ShardedMerging.RoomOf(task, scope) : null,
        });
        using OpenedSource? backing = spec.Backing is { } name ? files.OpenSource(spec, name, spec.BackingFormat) : null;
        files.RequireProbed(task, watch);
        if (backing is not null)
        {
            files.RequireProbed(task, backing.Watch);
        }

        int shared = backing is null ? -1 : files.IndexIn(image, files.ChainOf(spec.Backing!, backing.Disk).Layers[0].Name);
        long read = 0;
        var rebaser = new Rebaser(image, backing?.Disk, new RebaseOptions
        {
            Threads = takesShards ? 1 : threads,
            SharedDepth = shared > 0 ? shared : null,
            Throttle = bytes =>
            {
                scope.Pass(bytes);
                Interlocked.Add(ref read, bytes);
            },
        });
        if (takesShards)
        {
            Range64 range = task.Planned.RangeOf(shard);
            rebaser.Run(range.Start, range.End, scope.Cancel);
            image.Flush();
        }
        else
        {
            rebaser.Run(scope.Cancel);
        }

        backing?.Watch.RequireUnchanged();
        return takesShards ? ShardedMerging.Merged(image.Top, task, shard, read) : new ShardResult { Shard = shard, BytesRead = read };
    }

    private void Relink(WorkTask task, RebaseSpec spec, TaskScope scope)
    {
        using OpenedSource? target = spec is { Unsafe: false, Backing: { } name } ? files.OpenSource(spec, name, spec.BackingFormat) : null;
        if (target is not null)
        {
            // What was merged is what differed from this one.
            files.RequireProbed(task, target.Watch);
        }

        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        using LayeredDisk image = new ChainOpener(locator).Open(files.Roots.PathOf(spec.Image), files.ChainFor(spec, spec.Image, spec.Format) with
        {
            Mode = OpenMode.ReadWrite,
            FollowBacking = false,
        });
        if (image.Top is not IBackingChanger changer)
        {
            throw new ImageException(ImageErrorKind.Unsupported, image.Top.FileName, $"Could not change the backing file to '{spec.Backing}': Operation not supported");
        }

        changer.ChangeBacking(spec.Backing is { } backing ? new BackingReference(files.ReferenceTo(backing, spec.Image), spec.BackingFormat) : null);
        image.Flush();
    }
}
