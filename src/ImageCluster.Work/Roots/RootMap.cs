using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Jobs;
using ImageCluster.Work.Secrets;

namespace ImageCluster.Work.Roots;

/// <summary>The directories that the names of roots stand for on this machine, and the way to files in them.</summary>
public sealed class RootMap
{
    private readonly Dictionary<string, string> _directories;
    private readonly Lazy<ConfinedLocator> _confined;

    /// <param name="directories">Absolute paths, or URLs (<see cref="RemoteRoot"/>), by the roots' names.</param>
    /// <param name="files">This machine's files; null for the local ones.</param>
    /// <param name="alsoAllowed">Directories beyond the roots in which the files of a chain may lie.</param>
    /// <param name="protocols">How roots that are addresses are reached; null for every protocol there is.</param>
    /// <param name="secrets">Passwords of encrypted images in them; null for none.</param>
    public RootMap(
        IReadOnlyDictionary<string, string> directories, IFileLocator? files = null, IEnumerable<string>? alsoAllowed = null,
        IReadOnlyList<StorageProtocol>? protocols = null, SecretStore? secrets = null)
    {
        Secrets = secrets ?? SecretStore.None;
        Protocols = protocols ?? ProtocolRegistry.Create(ProtocolSettings.Default);
        _directories = new Dictionary<string, string>(directories, StringComparer.Ordinal);
        Files = files ?? new LocalFileLocator();
        Allowed = [.. _directories.Values.Concat(alsoAllowed ?? []).Where(directory => !RemoteRoot.IsOne(directory)).Distinct(StringComparer.Ordinal)];
        _confined = new Lazy<ConfinedLocator>(() => new ConfinedLocator(Files, Allowed));
    }

    /// <summary>This machine's files, wherever they lie.</summary>
    public IFileLocator Files { get; }

    /// <summary>How roots that are addresses are reached.</summary>
    public IReadOnlyList<StorageProtocol> Protocols { get; }

    /// <summary>This machine's files, and whatever an address names.</summary>
    public ProtocolLocator AllFiles => field ??= new ProtocolLocator(Files, Protocols);

    /// <summary>Passwords of encrypted images.</summary>
    public SecretStore Secrets { get; }

    /// <summary>Confined to the roots: whatever an image refers to, no other file is opened.</summary>
    public IFileLocator Locator => _confined.Value;

    /// <summary>Every directory in which the files of a chain may lie.</summary>
    public IReadOnlyList<string> Allowed { get; }

    /// <summary>The absolute path, or the URL, of a root.</summary>
    /// <exception cref="ImageException">This machine does not have it.</exception>
    public string Of(string root) => _directories.TryGetValue(root, out string? directory)
        ? directory
        : throw new ImageException(ImageErrorKind.NotFound, root, $"This node does not reach the root '{root}'");

    /// <summary>The URL of a root; null for one that is a directory.</summary>
    public string? AddressOf(string root) => Of(root) is var address && RemoteRoot.IsOne(address) ? address : null;

    /// <summary>The absolute path of an image on this machine, or its name on a server.</summary>
    /// <exception cref="ImageException">This machine does not have the root.</exception>
    public string PathOf(ImageName image) => Of(image.Root) is var root && RemoteRoot.IsOne(root)
        ? RemoteRoot.NameOf(root, image.Path)
        : Path.Join(root, image.Path);

    /// <summary>
    /// The one name of the file that <paramref name="path"/> leads to, links resolved, or of what has that address: in the innermost root that it lies in.
    /// Null where it lies in none, or has a name that no image may have.
    /// </summary>
    public ImageName? NameOf(string path)
    {
        if (RemoteRoot.IsOne(path))
        {
            return NameOnServer(path);
        }

        string canonical = Files.Canonical(path);
        (string Name, string Directory)? best = null;
        foreach ((string name, string directory) in _directories.Where(root => !RemoteRoot.IsOne(root.Value)))
        {
            string root = Files.Canonical(directory);
            bool isBelow = canonical.StartsWith(root.EndsWith('/') ? root : root + "/", StringComparison.Ordinal);
            bool isBetter = best is not { } other || root.Length > other.Directory.Length ||
                (root.Length == other.Directory.Length && string.CompareOrdinal(name, other.Name) < 0);
            best = isBelow && isBetter ? (name, root) : best;
        }

        string? below = best is { } found ? canonical[found.Directory.Length..].TrimStart('/') : null;
        return below is null || ImageName.PathProblem(below) is not null ? null : new ImageName(best!.Value.Name, below);
    }

    private ImageName? NameOnServer(string address) => _directories
        .Where(root => RemoteRoot.IsOne(root.Value))
        .Select(root => (root.Key, Path: RemoteRoot.PathOf(root.Value, address)))
        .Where(found => found.Path is not null && ImageName.PathProblem(found.Path) is null)
        .OrderBy(found => found.Path!.Length)
        .ThenBy(found => found.Key, StringComparer.Ordinal)
        .Select(found => new ImageName(found.Key, found.Path!))
        .FirstOrDefault();
}
