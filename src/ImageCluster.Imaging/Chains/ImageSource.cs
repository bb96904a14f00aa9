namespace ImageCluster.Imaging.Chains;

/// <summary>
/// An image as whoever opens it describes it, where a file's name does not say enough: what its driver is told, the image that it lies in, the
/// image that it is to stand on. What is left out is as the file, or the overlay that refers to it, says.
/// </summary>
public sealed record ImageSource
{
    /// <summary>The file by a name for the locator; null for the one that the overlay above names.</summary>
    public string? FileName { get; init; }

    /// <summary>The format by name; null for the one that the overlay above states, or to probe.</summary>
    public string? Format { get; init; }

    /// <summary>Told the format's name where it was probed.</summary>
    public Action<string>? Guessed { get; init; }

    /// <summary>Driver options.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();

    /// <summary>Secrets by QEMU's option name; see <see cref="Formats.OpenContext.Secret"/>.</summary>
    public Func<string, byte[]?> Secret { get; init; } = static _ => null;

    /// <summary>The image whose guest's disk is this image's file; null where the file is the storage's.</summary>
    public ImageSource? Container { get; init; }

    /// <summary>Images beside the first, where the driver is one that stands over several; empty otherwise.</summary>
    public IReadOnlyList<ImageSource> Others { get; init; } = [];

    /// <summary>
    /// Describes what holds the payload, instead of the file that the header names (qcow2's external data file), when the image asks for it; null for that file.
    /// Throws where it is described wrongly.
    /// </summary>
    public Func<ImageSource>? DataFile { get; init; }

    /// <summary>What its file is called may tell its format; false where only options describe it.</summary>
    public bool ProbesName { get; init; } = true;

    /// <summary>What to say where a name is to be found beside the image, of which no directory can be told; null where its file has one.</summary>
    public string? NoDirectory { get; init; }

    /// <summary>Its own file is opened without locks; its parts and what it stands on are not.</summary>
    public bool IsUnlocked { get; init; }

    /// <summary>What messages call a container; null for the file's name.</summary>
    public string? DisplayName { get; init; }

    /// <summary>False to open the image alone.</summary>
    public bool FollowBacking { get; init; } = true;

    /// <summary>The image that it stands on, instead of what its header names; null for that.</summary>
    public ImageSource? Backing { get; init; }
}
