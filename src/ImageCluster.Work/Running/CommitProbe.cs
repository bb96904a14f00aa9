using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Gathering;

namespace ImageCluster.Work.Running;

/// <summary>Looks at the chain of a commit.</summary>
internal sealed class CommitProbe(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (CommitSpec)task.Spec;
        files.RequireSecrets(spec);
        if (spec.Base is { } named)
        {
            files.RequireOwnName(named);
        }

        if (spec.EmptiesTop)
        {
            files.RequireOwnName(spec.Top);
        }

        using OpenedSource top = files.OpenSource(spec, spec.Top, spec.TopFormat);
        IImageLayer into = top.Disk.Layers[CommitRunner.BaseIndex(files, top.Disk, spec)];
        RequireEmptyable(spec, top.Top);
        ProbedChain chain = files.ChainOf(spec.Top, top.Disk);
        int index = top.Disk.Layers.ToList().IndexOf(into);
        files.RequireOwnName(chain.Layers[index].Name);
        using OpenedSource below = files.OpenSource(chain.Layers[index].Name, into.FormatName, spec.SecretOf(spec.Top));
        return new ShardResult
        {
            Shard = shard,
            Detail = FindingsCodec.Encode(new ProbeFindings
            {
                Geometry = ShardedMerging.GeometryOf(into, top.Disk.VirtualSize),
                Chains = [chain],
                Fingerprint = top.Watch.SharedFingerprint(files.Roots, below.Watch.Files),
                DataBytes = SourceInspector.DataBytes(top.Disk, index, 0, top.Disk.VirtualSize, scope.Cancel),
            }),
        };
    }

    // Found out now, not when the base has taken everything in.
    private static void RequireEmptyable(CommitSpec spec, IImageLayer top)
    {
        if (spec.EmptiesTop && top.FormatName is not ("qcow" or "qcow2" or "qed"))
        {
            throw new ImageException(ImageErrorKind.Unsupported, top.FileName, $"An image of format {top.FormatName} cannot be emptied")
            {
                Hint = "Keep it: commit -d.",
            };
        }
    }
}
