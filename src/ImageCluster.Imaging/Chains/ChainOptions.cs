using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Imaging.Chains;

/// <summary>How <see cref="ChainOpener"/> opens an image and what it may follow.</summary>
public sealed record ChainOptions
{
    public static readonly ChainOptions ReadOnly = new();

    /// <summary>Format of the top image by name; null to probe.</summary>
    public string? Format { get; init; }

    /// <summary>How the top image is opened. Backing files are opened for reading with the same cache mode and lock.</summary>
    public OpenMode Mode { get; init; } = OpenMode.ReadOnly;

    /// <summary>False to open the top image alone: what it does not have reads as zeros.</summary>
    public bool FollowBacking { get; init; } = true;

    /// <summary>How many of the chain's images, counted from the top, are opened for writing where <see cref="Mode"/> writes; 0 for <see cref="WritableBase"/> alone.</summary>
    public int WritableLayers { get; init; } = 1;

    /// <summary>The place in the chain (1 for the top's own backing file) of one more image that is opened for writing; null for none (commit).</summary>
    public int? WritableBase { get; init; }

    /// <summary>That image is to become longer.</summary>
    public bool BaseGrows { get; init; }

    /// <inheritdoc cref="Formats.OpenContext.Room"/>
    public IRoom? Room { get; init; }

    /// <summary>Images in a chain at the most, the top included.</summary>
    public int MaxDepth { get; init; } = 256;

    /// <summary>
    /// False to refuse a backing file whose format the overlay does not state: probing lets a guest that wrote a header into its raw
    /// disk choose what is read (CVE-2008-2004 and its kin).
    /// </summary>
    public bool AllowProbedBacking { get; init; } = true;

    /// <summary>Which protocols backing files and an image's other parts may name; the top image's own name was given by the user.</summary>
    public ProtocolPolicy References { get; init; } = ProtocolPolicy.FilesOnly;

    /// <inheritdoc cref="Formats.OpenContext.DescribeOnly"/>
    public bool DescribeOnly { get; init; }

    /// <inheritdoc cref="Formats.OpenContext.ForCheck"/>
    public bool ForCheck { get; init; }

    /// <summary>Secrets by QEMU's option name; see <see cref="Formats.OpenContext.Secret"/>.</summary>
    public Func<string, byte[]?> Secret { get; init; } = static _ => null;

    /// <summary>As <see cref="Secret"/>, for the images that it stands on, where they are not described one by one.</summary>
    public Func<string, byte[]?> BackingSecret { get; init; } = static _ => null;

    /// <summary>Driver options of the top image.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();

    /// <inheritdoc cref="ImageSource.DataFile"/>
    public Func<ImageSource>? DataFile { get; init; }

    /// <inheritdoc cref="ImageSource.ProbesName"/>
    public bool ProbesName { get; init; } = true;

    /// <inheritdoc cref="ImageSource.NoDirectory"/>
    public string? NoDirectory { get; init; }

    /// <inheritdoc cref="ImageSource.IsUnlocked"/>
    public bool IsUnlocked { get; init; }

    /// <summary>The image whose guest's disk is the top image's file; null where that is the storage's.</summary>
    public ImageSource? Container { get; init; }

    /// <inheritdoc cref="ImageSource.Others"/>
    public IReadOnlyList<ImageSource> Others { get; init; } = [];

    /// <summary>What the top image is to stand on, instead of what its header names; null for that.</summary>
    public ImageSource? Backing { get; init; }

    /// <summary>
    /// Takes apart a backing file's name that is more than a file's (<c>json:...</c>), with the format that the header states; null from it for a
    /// plain name.
    /// </summary>
    public Func<string, string?, ImageSource?>? ReadName { get; init; }

    /// <summary>Called with the top image's format where it was guessed, before the image is opened.</summary>
    public Action<ImageFormat> Guessed { get; init; } = static _ => { };

    /// <inheritdoc cref="Formats.OpenContext.Warn"/>
    public Action<string, string> Warn { get; init; } = static (_, _) => { };
}
