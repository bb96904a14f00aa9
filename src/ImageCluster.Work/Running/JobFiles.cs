using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Running;

/// <summary>The images of jobs on this node.</summary>
/// <param name="roots">This node's roots.</param>
internal sealed class JobFiles(RootMap roots)
{
    // A backing file whose format is not stated is never guessed: a guest may have written a header into its raw disk.
    private readonly SourceInspector _inspector = new(roots.Files, roots.Allowed, allowProbedBacking: false);

    public RootMap Roots => roots;

    /// <summary>Opens an image with its chain for reading, under QEMU's locks: whoever writes to it makes this fail, and the other way round.</summary>
    public OpenedSource OpenSource(ImageName image, string format) =>
        _inspector.Open(new FoundSource(image, roots.PathOf(image), format.Length == 0 ? null : format));

    /// <summary>As <see cref="OpenSource(ImageName, string)"/>, the source of a convert.</summary>
    public OpenedSource OpenSource(ConvertSpec spec)
    {
        OpenedSource source = OpenSource(spec.Source, spec.SourceFormat);
        if (spec.Backing is null || source.Disk.Layers.Count > 1)
        {
            return source;
        }

        source.Dispose();
        throw new ImageException(ImageErrorKind.InvalidArgument, roots.PathOf(spec.Source),
            $"The target is to stand on {spec.Backing}, but its source stands on nothing");
    }

    /// <summary>Where a convert's target is until it has its name.</summary>
    public StagingArea Staging(ConvertSpec spec, string jobId)
    {
        string path = roots.PathOf(spec.Target);
        // A link in the path may lead out of the root.
        roots.Locator.Canonical(path);
        return new StagingArea(path, jobId);
    }

    /// <summary>A convert's target; several workers have its files open, and who may write where is settled by rooms and leases.</summary>
    public ConvertTarget Target(ConvertSpec spec, string jobId, long virtualSize, FencedLocator files) => new(
        spec, virtualSize, Staging(spec, jobId), files, spec.Backing is null ? null : roots.PathOf(spec.Backing),
        OpenMode.ReadWrite with { Lock = ImageLock.None });
}
