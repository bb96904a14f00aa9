using System.Collections.Immutable;
using ImageCluster.Imaging;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Migrations;
using ImageCluster.Jobs.Plans;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Roots;

namespace ImageCluster.Work.Running;

/// <summary>Looks for the images that a manifest selects, plans them and tells of them part by part. Writes nothing.</summary>
/// <param name="roots">This node's roots; the manifest's own directories are left aside.</param>
internal sealed class GatherRunner(RootMap roots) : IShardRunner
{
    private const int MaxReasons = 100;

    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (GatherSpec)task.Spec;
        GatheredPlan gathered = Gather(ManifestOf(spec), scope.Cancel);
        if (!gathered.Plan.CanStart)
        {
            scope.TellImages(new GatheredPart(0, [], IsLast: true, Reasons(gathered.Plan.Refusals)));
            return new ShardResult { Shard = shard };
        }

        IReadOnlyList<MigratedImage> images = MigratedImages.Of(gathered.Plan.Images);
        for (int from = 0; from == 0 || from < images.Count; from += GatheredPart.MaxImages)
        {
            scope.Pass(0);
            bool isLast = from + GatheredPart.MaxImages >= images.Count;
            scope.TellImages(new GatheredPart(from, [.. images.Skip(from).Take(GatheredPart.MaxImages)], isLast, []));
        }

        return new ShardResult { Shard = shard };
    }

    // One of a kind for each image, perhaps, and all are sent and listed as one: the first ones tell what is wrong.
    private static ImmutableList<string> Reasons(IReadOnlyList<PlanRefusal> refusals)
    {
        IEnumerable<string> first = refusals.Take(MaxReasons).Select(refusal => ErrorText.Join(refusal.Message, refusal.Hint));
        return refusals.Count <= MaxReasons ? [.. first] : [.. first, $"and {refusals.Count - MaxReasons:#,0} more"];
    }

    private MigrationManifest ManifestOf(GatherSpec spec)
    {
        try
        {
            MigrationManifest manifest = ManifestParser.Parse(spec.Manifest);
            foreach (RootReference root in manifest.UsedRoots)
            {
                if (!root.IsName)
                {
                    throw new ImageException(ImageErrorKind.InvalidArgument, null, $"'{root}' is {root.Kind}; in a cluster a root is a name that the nodes know");
                }

                roots.Of(root.Text);
            }

            JobFiles.RequireDirectory(roots, manifest.Target.Root.Text);

            return manifest;
        }
        catch (ManifestException e)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, null, $"The manifest cannot be read: {ErrorText.OneLine(e.Message.ReplaceLineEndings("; "))}", e);
        }
    }

    private GatheredPlan Gather(MigrationManifest manifest, CancellationToken cancel)
    {
        try
        {
            var inspector = new SourceInspector(roots.Files, roots.Allowed, allowProbedBacking: false, roots.Protocols, roots.Secrets);
            return new PlanMaker(manifest, roots, inspector, roots.Files, earlier: null).Make((_, _) => { }, cancel);
        }
        catch (GatheringException e)
        {
            // A directory that is not there may be one that is not mounted yet.
            throw new ImageException(ImageErrorKind.NotFound, null, e.Message, e) { Hint = e.Hint };
        }
    }
}
