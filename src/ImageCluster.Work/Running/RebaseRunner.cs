using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Operations.Rebasing;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;

namespace ImageCluster.Work.Running;

/// <summary>
/// Merges into an image what differs between the backing file that it has and the one that it gets, and changes the name of its backing file when all
/// of that is there.
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
            case StageKind.Merge:
                Merge(task, spec, scope);
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

    private void Merge(WorkTask task, RebaseSpec spec, TaskScope scope)
    {
        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        var watch = new SourceWatch(locator);
        using LayeredDisk image = new ChainOpener(watch).Open(files.Roots.PathOf(spec.Image), JobFiles.Chain with
        {
            Format = JobFiles.Stated(spec.Format),
            Mode = OpenMode.ReadWrite,
        });
        using OpenedSource? backing = spec.Backing is { } name ? files.OpenSource(name, spec.BackingFormat) : null;
        files.RequireProbed(task, watch);
        if (backing is not null)
        {
            files.RequireProbed(task, backing.Watch);
        }

        int shared = backing is null ? -1 : files.IndexIn(image, files.ChainOf(spec.Backing!, backing.Disk).Layers[0].Name);
        new Rebaser(image, backing?.Disk, new RebaseOptions
        {
            Threads = threads,
            SharedDepth = shared > 0 ? shared : null,
            Throttle = scope.Pass,
        }).Run(scope.Cancel);
        backing?.Watch.RequireUnchanged();
    }

    private void Relink(WorkTask task, RebaseSpec spec, TaskScope scope)
    {
        using OpenedSource? target = spec is { Unsafe: false, Backing: { } name } ? files.OpenSource(name, spec.BackingFormat) : null;
        if (target is not null)
        {
            // What was merged is what differed from this one.
            files.RequireProbed(task, target.Watch);
        }

        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        using LayeredDisk image = new ChainOpener(locator).Open(files.Roots.PathOf(spec.Image), JobFiles.Chain with
        {
            Format = JobFiles.Stated(spec.Format),
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
