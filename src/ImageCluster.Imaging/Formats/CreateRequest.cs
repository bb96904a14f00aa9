using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats;

/// <summary>What is to be created.</summary>
public sealed class CreateRequest
{
    public required string FileName { get; init; }

    public required IFileLocator Locator { get; init; }

    /// <summary>Size of the guest's disk in bytes, 0 or more.</summary>
    public required long VirtualSize { get; init; }

    /// <summary>Option values by name as given with <c>-o</c>; a format reads them with <see cref="OptionReader"/>.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();

    /// <summary>Payload is to be compressed (<c>convert -c</c>).</summary>
    public bool Compress { get; init; }

    public OpenMode Mode { get; init; } = OpenMode.ReadWrite;

    /// <summary>Opens a backing file by a name that is more than a file's (<c>json:...</c>), alone and for reading; null from it for a plain name.</summary>
    public Func<string, IImageLayer?> OpenBacking { get; init; } = static _ => null;

    public Func<string, byte[]?> Secret { get; init; } = static _ => null;
}
