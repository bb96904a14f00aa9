using ImageCluster.Imaging;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Gathering;

namespace ImageCluster.Work.Running;

/// <summary>Looks at the source of a convert and at what its target would be.</summary>
internal sealed class ConvertProbe(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (ConvertSpec)task.Spec;
        JobFiles.RequireDirectory(files.Roots, spec.Target.Root);
        string target = files.Roots.PathOf(spec.Target);
        files.RequireOwnName(spec.Target);
        files.RequireSecrets(spec);
        if (!spec.Replace && files.Roots.Files.Exists(target))
        {
            throw new ImageException(ImageErrorKind.Exists, target, "A file of the target's name is there");
        }

        files.RequireUnused(spec.Target);
        using OpenedSource source = files.OpenSource(spec);
        bool keepsChain = spec.Backing is not null;
        int layers = keepsChain ? 1 : source.Disk.Layers.Count;
        return new ShardResult
        {
            Shard = shard,
            Detail = FindingsCodec.Encode(new ProbeFindings
            {
                Geometry = TargetSketch.GeometryOf(spec, source.Disk.VirtualSize, target, files.Roots.Locator, files.BackingPath(spec)),
                Chains = [files.ChainOf(spec.Source, source.Disk), .. BackingChain(spec)],
                DataBytes = SourceInspector.DataBytes(source.Disk, layers, 0, source.Disk.VirtualSize, scope.Cancel),
            }),
        };
    }

    private ProbedChain[] BackingChain(ConvertSpec spec)
    {
        if (spec.Backing is not { } backing)
        {
            return [];
        }

        using OpenedSource opened = files.OpenSource(spec, backing, spec.BackingFormat);
        return [files.ChainOf(backing, opened.Disk)];
    }
}
