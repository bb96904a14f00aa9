using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Running;

/// <summary>The images of jobs on this node.</summary>
/// <param name="roots">This node's roots.</param>
internal sealed class JobFiles(RootMap roots)
{
    /// <summary>
    /// How every chain is opened. A backing file whose format is not stated is never guessed: a guest may have written a header into its raw disk.
    /// </summary>
    public static readonly ChainOptions Chain = new() { AllowProbedBacking = false };

    private readonly SourceInspector _inspector = new(roots.Files, roots.Allowed, allowProbedBacking: false, roots.Protocols, roots.Secrets);

    public RootMap Roots => roots;

    /// <summary>A format as a job states it; null where it is to be probed.</summary>
    public static string? Stated(string format) => format.Length == 0 ? null : format;

    /// <summary>Opens an image with its chain for reading, under QEMU's locks: whoever writes to it makes this fail, and the other way round.</summary>
    /// <param name="spec">The job, which names its secret.</param>
    /// <param name="image">One that the job names, or another.</param>
    /// <param name="format">As the job states it; empty where it is to be probed.</param>
    public OpenedSource OpenSource(JobSpec spec, ImageName image, string format) => OpenSource(image, format, spec.SecretOf(image));

    /// <summary>As <see cref="OpenSource(JobSpec, ImageName, string)"/>, by the name of a secret (empty for none).</summary>
    public OpenedSource OpenSource(ImageName image, string format, string secret) =>
        _inspector.Open(new FoundSource(image, roots.PathOf(image), Stated(format)) { Root = roots.AddressOf(image.Root), Secret = secret });

    /// <summary>How an image of a job, and what it stands on, is opened.</summary>
    /// <inheritdoc cref="OpenSource(JobSpec, ImageName, string)"/>
    public ChainOptions ChainFor(JobSpec spec, ImageName image, string format) => Chain with
    {
        Format = Stated(format),
        Secret = roots.Secrets.For(spec.SecretOf(image)),
        BackingSecret = roots.Secrets.For(spec.SecretOf(image)),
    };

    /// <summary>As <see cref="ChainFor"/>, a convert's target.</summary>
    public ChainOptions ChainOfTarget(ConvertSpec spec) => Chain with
    {
        Format = spec.TargetFormat,
        Secret = roots.Secrets.For(spec.SecretOf(spec.Target), spec.Options),
        BackingSecret = roots.Secrets.For(spec.Backing is null ? "" : spec.SecretOf(spec.Backing)),
    };

    /// <summary>This node has the secrets that the job names.</summary>
    /// <exception cref="ImageException">It has not.</exception>
    public void RequireSecrets(JobSpec spec)
    {
        foreach (string name in spec.Secrets.Values)
        {
            roots.Secrets.Get(name);
        }
    }

    /// <summary>As <see cref="OpenSource(JobSpec, ImageName, string)"/>, the source of a convert.</summary>
    public OpenedSource OpenSource(ConvertSpec spec)
    {
        OpenedSource source = OpenSource(spec, spec.Source, spec.SourceFormat);
        if (spec.Backing is null || source.Disk.Layers.Count > 1)
        {
            return source;
        }

        source.Dispose();
        throw new ImageException(ImageErrorKind.InvalidArgument, roots.PathOf(spec.Source),
            $"The target is to stand on {spec.Backing}, but its source stands on nothing");
    }

    /// <summary>As <see cref="OpenSource(ConvertSpec)"/>, and it is what it was when the target was created.</summary>
    /// <exception cref="SourceChangedException">It is not.</exception>
    public OpenedSource OpenSource(ConvertSpec spec, StagingArea staging)
    {
        string before = staging.Note ??
            throw new ImageException(ImageErrorKind.NotFound, staging.DirectoryPath, "The unfinished target of this job is gone");
        OpenedSource source = OpenSource(spec);
        try
        {
            source.Watch.RequireSame(before, roots);
            return source;
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Several nodes write one target, which takes shared storage; a server or a device of one node has none.</summary>
    /// <exception cref="ImageException">The target's root is no directory on this node.</exception>
    public static void RequireDirectory(RootMap roots, string root)
    {
        string there = roots.Of(root);
        if (RemoteRoot.IsOne(there) || TargetStanding.IsForDevices(there))
        {
            throw new ImageException(ImageErrorKind.Unsupported, null, $"The targets' root '{root}' is {there} on this node: a cluster writes targets to directories only")
            {
                Hint = "'imagecluster migrate' on one machine writes to servers, stores and devices",
            };
        }
    }

    /// <summary>Where a convert's target is until it has its name.</summary>
    public StagingArea Staging(ImageName target, string jobId)
    {
        string path = roots.PathOf(target);
        // A link in the path may lead out of the root.
        roots.Locator.Canonical(path);
        return new StagingArea(path, jobId, roots.Of(target.Root));
    }

    /// <summary>A convert's target; several workers have its files open, and who may write where is settled by rooms and leases.</summary>
    public ConvertTarget Target(ConvertSpec spec, long virtualSize, StagingArea staging, IFileLocator files) => new(
        spec, virtualSize, staging, files, BackingPath(spec), OpenMode.ReadWrite with { Lock = ImageLock.None }, roots.Secrets);

    /// <summary>True where one worker fills the whole target of a convert: then <see cref="StageKind.Copy"/> leaves a finished file.</summary>
    public bool IsWhole(WorkTask task)
    {
        if (task.Planned.Stages.Any(stage => stage is { Kind: StageKind.Copy, Shards: > 1 }))
        {
            return false;
        }

        var spec = (ConvertSpec)task.Spec;
        return !TargetSketch.GeometryOf(spec, task.Planned.VirtualSize, roots.PathOf(spec.Target), roots.Locator, BackingPath(spec)).ShardsIndependent;
    }

    public string? BackingPath(ConvertSpec spec) => spec.Backing is null ? null : roots.PathOf(spec.Backing);

    /// <summary>What a reference in the metadata of <paramref name="image"/> to <paramref name="backing"/> says: the way from one to the other.</summary>
    public string ReferenceTo(ImageName backing, ImageName image) =>
        Path.GetRelativePath(Path.GetDirectoryName(roots.PathOf(image))!, roots.PathOf(backing));

    /// <summary>An image and what it stands on, by the names that all jobs know them by.</summary>
    public ProbedChain ChainOf(ImageName image, LayeredDisk disk) =>
        new(image, [.. disk.Layers.Select(layer => new ProbedImage(NameOf(layer), layer.FormatName, layer.VirtualSize))]);

    /// <summary>Where <paramref name="image"/> is in a chain; -1 where it is not.</summary>
    public int IndexIn(LayeredDisk disk, ImageName image) => disk.Layers.ToList().FindIndex(layer => NameOf(layer) == image);

    /// <summary>An image that is modified must be known by one name: under another it could be modified by somebody else.</summary>
    public void RequireOwnName(ImageName image)
    {
        string path = roots.PathOf(image);
        if (roots.AddressOf(image.Root) is { } address)
        {
            throw new ImageException(ImageErrorKind.Unsupported, null, $"The root '{image.Root}' is {address} on this node: a cluster changes images in directories only");
        }

        roots.Locator.Canonical(path);
        ImageName? name = roots.NameOf(path);
        if (name != image)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, path,
                name is null ? "It lies in no root, links resolved" : $"It is {name}, links resolved: use that name");
        }
    }

    /// <summary>Nobody has the image open: a machine that runs on it would go on with a file that has no name any more.</summary>
    /// <exception cref="ImageException"><see cref="ImageErrorKind.Locked"/>.</exception>
    public void RequireUnused(ImageName image)
    {
        string path = roots.PathOf(image);
        if (roots.Locator.Exists(path))
        {
            roots.Locator.Open(path, OpenMode.ReadWrite).Dispose();
        }
    }

    /// <summary>The files of an image that a step only reads are what they were when it was probed.</summary>
    /// <exception cref="SourceChangedException">One is not.</exception>
    public void RequireProbed(WorkTask task, SourceWatch watch)
    {
        if (task.Probed is { Fingerprint.Length: > 0 } probed)
        {
            watch.RequireSame(probed.Fingerprint, roots);
        }
    }

    private ImageName NameOf(IImageLayer layer) => Appliances.NameOf(layer.FileName, roots) ??
        throw new ImageException(ImageErrorKind.Policy, layer.FileName, "It lies in no root, or has a name that no image may have");
}
