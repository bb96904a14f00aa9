using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Running;

/// <summary>
/// Creates an image: made beside its place and then given its name, so that whoever looks finds the old file, nothing, or a whole image. Two steps, so that
/// giving it its name, done again, knows that it was done.
/// </summary>
internal sealed class NewImageRunner(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (ChangeSpec)task.Spec;
        StagingArea staging = files.Staging(spec.Image, task.JobId);
        if (task.Stage == StageKind.Create)
        {
            Create(spec, staging, scope);
        }
        else
        {
            Install(spec, staging, scope);
        }

        return new ShardResult { Shard = shard };
    }

    private void Create(ChangeSpec spec, StagingArea staging, TaskScope scope)
    {
        ImageFormat format = FormatRegistry.Find(spec.Format)
            ?? throw new ImageException(ImageErrorKind.Unsupported, staging.FinalPath, $"Unknown file format '{spec.Format}'");
        using OpenedSource? backing = spec.Backing is { } name ? files.OpenSource(spec, name, spec.BackingFormat) : null;
        var options = new Dictionary<string, string>(spec.Options, StringComparer.Ordinal);
        if (backing is not null)
        {
            options["backing_file"] = files.ReferenceTo(spec.Backing!, spec.Image);
            options["backing_fmt"] = spec.BackingFormat.Length > 0 ? spec.BackingFormat : backing.Top.FormatName;
        }

        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        scope.Pass(0);
        staging.StartAnew();
        format.Create(new CreateRequest
        {
            FileName = staging.FinalPath,
            Locator = staging.Locator(locator),
            VirtualSize = spec.Size ?? backing?.Disk.VirtualSize ??
                throw new ImageException(ImageErrorKind.InvalidArgument, staging.FinalPath, "Image creation needs a size parameter"),
            Options = options,
            Secret = files.Roots.Secrets.For(spec.SecretOf(spec.Image), spec.Options),
        });
    }

    private void Install(ChangeSpec spec, StagingArea staging, TaskScope scope)
    {
        bool isWhole = File.Exists(staging.MainFile);
        if (isWhole)
        {
            files.RequireUnused(spec.Image);
        }

        if (staging.Exists)
        {
            scope.Pass(0);
            staging.Publish(spec.Force);
        }

        if (!isWhole)
        {
            // It was made by the step before, so an attempt of which nobody heard has given it its name.
            using LayeredDisk image = new ChainOpener(files.Roots.Locator).Open(
                staging.FinalPath, JobFiles.Chain with { Format = spec.Format, FollowBacking = false, DescribeOnly = true });
        }
    }
}
