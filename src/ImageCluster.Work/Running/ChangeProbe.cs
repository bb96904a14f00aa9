using System.Collections.Immutable;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Work.Gathering;

namespace ImageCluster.Work.Running;

/// <summary>Looks at an image that is to be changed as a whole, or at what a new one is to stand on.</summary>
internal sealed class ChangeProbe(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (ChangeSpec)task.Spec;
        files.RequireOwnName(spec.Image);
        files.RequireSecrets(spec);
        var findings = new ProbeFindings { Geometry = new JobGeometry(spec.Size ?? 0, JobPlanner.ReadShardLength, ShardsIndependent: false) };
        findings = spec.Change == UsePurpose.Create ? findings with { Chains = BackingOfNew(spec) } : OfExisting(spec, findings);
        return new ShardResult { Shard = shard, Detail = FindingsCodec.Encode(findings) };
    }

    private ImmutableList<ProbedChain> BackingOfNew(ChangeSpec spec)
    {
        string path = files.Roots.PathOf(spec.Image);
        if (!spec.Force && files.Roots.Files.Exists(path))
        {
            throw new ImageException(ImageErrorKind.Exists, path, "A file of the image's name is there");
        }

        if (spec.Backing is not { } backing)
        {
            return [];
        }

        using OpenedSource opened = files.OpenSource(spec, backing, spec.BackingFormat);
        return [files.ChainOf(backing, opened.Disk)];
    }

    // What it stands on need not be there.
    private ProbeFindings OfExisting(ChangeSpec spec, ProbeFindings findings)
    {
        using LayeredDisk disk = new ChainOpener(files.Roots.Locator).Open(files.Roots.PathOf(spec.Image), files.ChainFor(spec, spec.Image, spec.Format) with
        {
            FollowBacking = false,
            ForCheck = spec.Change == UsePurpose.Repair,
            Mode = OpenMode.ReadOnly,
        });
        return findings with { Chains = [files.ChainOf(spec.Image, disk)], Subject = SubjectOf(spec, disk) };
    }

    // What the image is now is what a change that is done again is to be held against.
    private static string SubjectOf(ChangeSpec spec, LayeredDisk disk)
    {
        switch (spec.Change)
        {
            case UsePurpose.SnapshotCreate:
                SnapshotIdentity.RequireNew(disk, spec.Snapshot);
                return "";
            case UsePurpose.SnapshotApply or UsePurpose.SnapshotDelete:
                return SnapshotIdentity.Of(SnapshotIdentity.Find(disk, spec.Snapshot));
            default:
                return "";
        }
    }
}
