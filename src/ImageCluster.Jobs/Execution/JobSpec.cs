using System.Collections.Immutable;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs.Execution;

/// <summary>What a job is to do. Formats are names as qemu-img says them; empty where they are to be probed.</summary>
public abstract record JobSpec
{
    /// <summary>The images that it names; chains add more once they are known.</summary>
    public abstract IReadOnlyList<ImageName> Images { get; }

    /// <summary>Names of the roots that whoever does it must reach; chains may add more once they are known.</summary>
    public virtual IEnumerable<string> Roots => Images.Select(image => image.Root).Distinct();

    /// <summary>The operation's name.</summary>
    public abstract string Operation { get; }

    /// <summary>
    /// Names of the secrets that encrypted images have their passwords in, by image. Of an image with a chain it is that of the whole chain. Each
    /// node finds the password behind a name for itself: none is ever in a job.
    /// </summary>
    public ImmutableSortedDictionary<ImageName, string> Secrets { get; init; } = ImmutableSortedDictionary<ImageName, string>.Empty;

    /// <summary>What is wrong with it, or null.</summary>
    public virtual string? Problem => Secrets.Keys.FirstOrDefault(image => !Images.Contains(image)) is { } other
            ? $"a secret is named for {other}, which the job does not name"
        : Secrets.Values.FirstOrDefault(name => !SecretName.IsValid(name)) is { } name
            ? $"'{name}' is not a name for a secret: {SecretName.Rule}"
        : null;

    /// <summary>The name of an image's secret; empty for none.</summary>
    public string SecretOf(ImageName image) => Secrets.GetValueOrDefault(image, "");

    /// <summary>True where the other says the same.</summary>
    public virtual bool SameAs(JobSpec other) => Secrets.SequenceEqual(other.Secrets) && Equals(other with { Secrets = Secrets });
}

/// <summary>Converts a source with its whole chain into a new target.</summary>
public sealed record ConvertSpec : JobSpec
{
    public required ImageName Source { get; init; }

    public string SourceFormat { get; init; } = "";

    public required ImageName Target { get; init; }

    public required string TargetFormat { get; init; }

    /// <summary>Create options by name.</summary>
    public ImmutableSortedDictionary<string, string> Options { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    public bool Compress { get; init; }

    /// <summary>The image that the target stands on (the source's chain is kept), or null.</summary>
    public ImageName? Backing { get; init; }

    public string BackingFormat { get; init; } = "";

    /// <summary>A finished target may take the place of a file of its name.</summary>
    public bool Replace { get; init; }

    public VerifyMode Verify { get; init; }

    /// <summary>The guest's bytes are hashed on the way. Without, the job's digest stays empty, and one core has less to do.</summary>
    public bool TakesDigest { get; init; } = true;

    public override string? Problem => Verify == VerifyMode.Digest && !TakesDigest ? "to verify by the digest it must be taken" : base.Problem;

    public override IReadOnlyList<ImageName> Images => Backing is null ? [Source, Target] : [Source, Target, Backing];

    public override string Operation => "convert";

    public override bool SameAs(JobSpec other) =>
        other is ConvertSpec convert && Options.SequenceEqual(convert.Options) && base.SameAs(convert with { Options = Options });
}

/// <summary>Compares what the guests of two images see.</summary>
public sealed record CompareSpec : JobSpec
{
    public required ImageName First { get; init; }

    public string FirstFormat { get; init; } = "";

    public required ImageName Second { get; init; }

    public string SecondFormat { get; init; } = "";

    /// <summary>Sizes and allocation count too (<c>-s</c>).</summary>
    public bool Strict { get; init; }

    public override IReadOnlyList<ImageName> Images => [First, Second];

    public override string Operation => "compare";
}

/// <summary>Writes the data of a chain's top into an image below it.</summary>
public sealed record CommitSpec : JobSpec
{
    public required ImageName Top { get; init; }

    public string TopFormat { get; init; } = "";

    /// <summary>An image of the top's chain; null for the one that the top stands on.</summary>
    public ImageName? Base { get; init; }

    /// <summary>The top is not emptied afterwards (<c>-d</c>).</summary>
    public bool KeepTop { get; init; }

    /// <summary>
    /// As with qemu-img, a base that is named keeps the top: what lies between would show through an empty one, older than what was in it.
    /// </summary>
    public bool EmptiesTop => !KeepTop && Base is null;

    public override IReadOnlyList<ImageName> Images => Base is null ? [Top] : [Top, Base];

    public override string Operation => "commit";
}

/// <summary>Gives an image another backing file.</summary>
public sealed record RebaseSpec : JobSpec
{
    public required ImageName Image { get; init; }

    public string Format { get; init; } = "";

    /// <summary>Null where the image shall stand on nothing.</summary>
    public ImageName? Backing { get; init; }

    public string BackingFormat { get; init; } = "";

    /// <summary>Only the name is changed (<c>-u</c>): what differs is not merged.</summary>
    public bool Unsafe { get; init; }

    public override IReadOnlyList<ImageName> Images => Backing is null ? [Image] : [Image, Backing];

    public override string Operation => "rebase";
}

/// <summary>Changes one image as a whole: what qemu-img's create, resize, amend, snapshot and check -r do.</summary>
public sealed record ChangeSpec : JobSpec
{
    public required ImageName Image { get; init; }

    public string Format { get; init; } = "";

    /// <summary>
    /// <see cref="UsePurpose.Create"/>, <see cref="UsePurpose.Resize"/>, <see cref="UsePurpose.Amend"/>, a snapshot's purpose, or
    /// <see cref="UsePurpose.Repair"/>. (For <see cref="UsePurpose.Relink"/> there is <see cref="RebaseSpec.Unsafe"/>.)
    /// </summary>
    public required UsePurpose Change { get; init; }

    /// <summary>Create and resize: bytes of the guest's disk; null where a new image is to be as large as its backing file.</summary>
    public long? Size { get; init; }

    /// <summary>The snapshot's name, or (apply, delete) its id.</summary>
    public string Snapshot { get; init; } = "";

    /// <summary>Create and amend: options by name. Resize: <c>preallocation</c>.</summary>
    public ImmutableSortedDictionary<string, string> Options { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>What a new image stands on, or null.</summary>
    public ImageName? Backing { get; init; }

    public string BackingFormat { get; init; } = "";

    /// <summary>
    /// Create: in the place of an image that is there. Resize: the disk may become smaller. Amend: also what may lose access to the data.
    /// Repair: errors too (<c>-r all</c>), not only leaks.
    /// </summary>
    public bool Force { get; init; }

    public override IReadOnlyList<ImageName> Images => Backing is null ? [Image] : [Image, Backing];

    public override string Operation => Change switch
    {
        UsePurpose.Create => "create",
        UsePurpose.Resize => "resize",
        UsePurpose.Amend => "amend",
        UsePurpose.Repair => "check -r",
        _ => "snapshot",
    };

    public override bool SameAs(JobSpec other) =>
        other is ChangeSpec change && Options.SequenceEqual(change.Options) && base.SameAs(change with { Options = Options });
}
