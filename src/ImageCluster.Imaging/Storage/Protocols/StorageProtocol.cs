namespace ImageCluster.Imaging.Storage.Protocols;

/// <summary>
/// One way to reach images that are not files of this machine: by what a name starts with (<c>nbd://...</c>) or by a driver's options. An
/// instance serves one command or one migration and is safe from any number of threads.
/// </summary>
public abstract class StorageProtocol
{
    /// <summary>What stands before a name's first colon: <c>nbd</c>, <c>nbd+unix</c>.</summary>
    public abstract IReadOnlyList<string> Schemes { get; }

    /// <summary>QEMU's name of the driver behind <paramref name="scheme"/>, where it has one: what <c>driver=</c> says and <c>info</c> shows.</summary>
    public virtual string DriverOf(string scheme) => scheme;

    /// <summary>True where <see cref="Open"/> takes a mode that writes.</summary>
    public virtual bool CanWrite => false;

    /// <summary>True where <c>info</c> can say what space an image takes.</summary>
    public virtual bool TellsSize => false;

    /// <summary>True where a driver's options may name the image (<c>filename</c>) instead of telling its parts.</summary>
    public virtual bool TakesFileName => true;

    /// <summary>The driver's options (<c>--image-opts</c>, <c>json:</c>), without the prefix of the node and without <c>driver</c>; a name ending in a dot takes all that start so.</summary>
    public virtual IReadOnlyList<string> OptionNames => [];

    /// <summary>The name as <c>info</c> shows it.</summary>
    public virtual string DisplayName(string name) => name;

    /// <summary>The name of what has <paramref name="path"/> below <paramref name="root"/>: an object, an export.</summary>
    /// <param name="root">A name without its last part.</param>
    /// <param name="path">Parts with '/' between, nothing in them escaped.</param>
    public virtual string Below(string root, string path) => $"{root.TrimEnd('/')}/{path}";

    /// <summary>Opens what is there under <paramref name="name"/>.</summary>
    /// <param name="name">In full, with the scheme.</param>
    /// <param name="mode">Locks and cache modes are for local files; the rest is heeded.</param>
    /// <param name="files">Opens other names: what a container lies in.</param>
    public abstract IBlockFile Open(string name, OpenMode mode, IFileLocator files);

    /// <summary>
    /// Makes what is there ready for a new image of <paramref name="length"/> bytes, or makes it. Here as QEMU does with protocols that cannot
    /// create: opens what exists, which must be large enough, and zeroes the first sector lest an older image be found there.
    /// </summary>
    public virtual IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew, IFileLocator files)
    {
        if (mustBeNew)
        {
            throw new ImageException(ImageErrorKind.Unsupported, name, $"Protocol driver '{Driver(name)}' does not support creating new images");
        }

        return StandingTarget.Take(Driver(name), length, () => Open(name, mode with { Write = true }, files));
    }

    /// <summary>For protocols whose images appear as a whole: where a new one is put together. Null for those that are written in place.</summary>
    /// <param name="name">In full, with the scheme.</param>
    /// <param name="files">Opens what is no part of the image.</param>
    /// <param name="replaces">See <see cref="StagedTarget.Replaces"/>.</param>
    /// <param name="mark">See <see cref="StagedTarget.Mark"/>.</param>
    public virtual StagedTarget? Stage(string name, IFileLocator files, bool replaces = true, string? mark = null) => null;

    /// <summary>The <see cref="StagedTarget.Mark"/> of what stands under a name; null where there is none, or nothing.</summary>
    public virtual string? MarkOf(string name) => null;

    /// <summary>The names of everything below a directory-like name, relative to it with '/' between parts, in any order.</summary>
    /// <param name="root">In full, with the scheme; without a slash at its end.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="ImageException">The protocol has no lists.</exception>
    public virtual IEnumerable<string> List(string root, CancellationToken cancel) =>
        throw new ImageException(ImageErrorKind.Unsupported, root, $"Protocol '{ImagePath.ProtocolOf(root)}' cannot list what is there");

    public virtual bool Exists(string name, IFileLocator files)
    {
        try
        {
            Open(name, OpenMode.ReadOnly, files).Dispose();
            return true;
        }
        catch (ImageException e) when (e.Kind == ImageErrorKind.NotFound)
        {
            return false;
        }
    }

    /// <inheritdoc cref="IFileLocator.Combine"/>
    public virtual string Combine(string referrer, string reference) => ImagePath.Combine(referrer, reference);

    /// <inheritdoc cref="IFileLocator.Canonical"/>
    public virtual string Canonical(string name, IFileLocator files) => name;

    /// <inheritdoc cref="IFileLocator.Delete"/>
    public virtual void Delete(string name, IFileLocator files) =>
        throw new ImageException(ImageErrorKind.Unsupported, name, $"Protocol driver '{Driver(name)}' does not support deleting images");

    /// <summary>
    /// The name that says the same as a driver's options, so that options and names are one thing from here on.
    /// </summary>
    /// <param name="driver">One that <see cref="DriverOf"/> names.</param>
    /// <param name="options">By full name (<c>server.path</c>), all of them of <see cref="OptionNames"/>.</param>
    /// <exception cref="ImageException">One is missing or wrong, in QEMU's words.</exception>
    public virtual string NameOf(string driver, IReadOnlyDictionary<string, string> options) =>
        throw new ImageException(ImageErrorKind.Unsupported, null, $"Block driver '{driver}' takes a file name only");

    private string Driver(string name) => DriverOf(ImagePath.ProtocolOf(name) ?? Schemes[0]);
}
