using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Gathering;

namespace ImageCluster.Work.Running;

/// <summary>Looks at the image of a rebase, and where data is merged at the chains that it leaves and gets.</summary>
internal sealed class RebaseProbe(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (RebaseSpec)task.Spec;
        files.RequireOwnName(spec.Image);
        files.RequireSecrets(spec);
        if (spec.Backing is not null && spec.BackingFormat.Length == 0)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, files.Roots.PathOf(spec.Image),
                $"Could not change the backing file to '{spec.Backing}': backing format must be specified");
        }

        ProbeFindings findings = spec.Unsafe ? OfImage(spec) : OfChains(spec, scope);
        return new ShardResult { Shard = shard, Detail = FindingsCodec.Encode(findings) };
    }

    // What the image stands on, and is to stand on, need not be there.
    private ProbeFindings OfImage(RebaseSpec spec)
    {
        using LayeredDisk disk = new ChainOpener(files.Roots.Locator).Open(files.Roots.PathOf(spec.Image), files.ChainFor(spec, spec.Image, spec.Format) with
        {
            FollowBacking = false,
            Mode = OpenMode.ReadOnly,
        });
        return new ProbeFindings
        {
            Geometry = ShardedMerging.GeometryOf(disk.Top, disk.VirtualSize),
            Chains = [files.ChainOf(spec.Image, disk)],
        };
    }

    private ProbeFindings OfChains(RebaseSpec spec, TaskScope scope)
    {
        using OpenedSource image = files.OpenSource(spec, spec.Image, spec.Format);
        using OpenedSource? backing = spec.Backing is { } name ? files.OpenSource(spec, name, spec.BackingFormat) : null;
        string[] own = OwnFiles(spec);
        return new ProbeFindings
        {
            Geometry = ShardedMerging.GeometryOf(image.Disk.Top, image.Disk.VirtualSize),
            Fingerprint = $"{image.Watch.SharedFingerprint(files.Roots, own)}\n{backing?.Watch.SharedFingerprint(files.Roots, own)}",
            Chains =
            [
                files.ChainOf(spec.Image, image.Disk),
                .. backing is null ? Array.Empty<ProbedChain>() : [files.ChainOf(spec.Backing!, backing.Disk)],
            ],
            DataBytes = image.Disk.Layers.Count < 2 ? 0 : SourceInspector.DataBytes(image.Disk, image.Disk.Layers.Count, 0, image.Disk.VirtualSize, scope.Cancel),
        };
    }

    private string[] OwnFiles(RebaseSpec spec)
    {
        var watch = new SourceWatch(files.Roots.Locator);
        new ChainOpener(watch).OpenLayer(files.Roots.PathOf(spec.Image), files.ChainFor(spec, spec.Image, spec.Format)).Dispose();
        return [.. watch.Files];
    }
}
