using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Archives;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Gathering;

/// <summary>
/// Finds the files that the manifest's sources select. Directories are entered, but not through symbolic links, and appliances (<see cref="Appliances"/>); what ImageCluster itself leaves
/// in a target root is left out. A directory that cannot be listed is found as a source with a problem: an image must not be missed silently.
/// </summary>
public sealed class SourceScanner(MigrationManifest manifest, RootMap roots)
{
    // Confined to the roots where they are directories; addresses are made of the roots' own.
    private ProtocolLocator Locator { get; } = new(roots.Locator, roots.Protocols);

    private readonly Dictionary<string, FoundSource> _found = new(StringComparer.Ordinal);

    /// <summary>Each file once, in the order of the sources and of names in a source; where two select the same file the first counts.</summary>
    public IReadOnlyList<FoundSource> Scan(CancellationToken cancel)
    {
        var ordered = new List<FoundSource>();
        foreach (SourceSelection source in manifest.Sources)
        {
            string directory = roots.Of(source.Root.Text);
            IEnumerable<FoundSource> found = source.Files.SelectMany(file => Named(source, directory, file))
                .Concat(source.Include.Count == 0 ? [] : Matching(source, directory, cancel));
            string secret = source.Secret ?? "";
            ordered.AddRange(found.Where(file => _found.TryAdd(file.Path, file)).Select(file => file with { Secret = secret }));
        }

        return Distinct(ordered);
    }

    // Names that no image can have are shown in a form that several may share: an appliance says what its disks are called.
    private static List<FoundSource> Distinct(List<FoundSource> found)
    {
        HashSet<ImageName> names = [.. found.Where(source => source.Problem is null).Select(source => source.Name)];
        return
        [
            .. found.Select(source =>
            {
                ImageName name = source.Name;
                for (int number = 2; source.Problem is not null && !names.Add(name); number++)
                {
                    name = new ImageName(source.Name.Root, $"{source.Name.Path} ({number})");
                }

                return source with { Name = name };
            }),
        ];
    }

    private IEnumerable<FoundSource> Named(SourceSelection source, string directory, string file)
    {
        string path = RemoteRoot.IsOne(directory) ? RemoteRoot.NameOf(directory, file) : Path.Join(directory, file);
        if (OvaArchive.IsNamedLikeOne(file) && (RemoteRoot.IsOne(directory) || File.Exists(path)))
        {
            return Appliances.Disks(source, directory, file, Locator);
        }

        if (RemoteRoot.IsOne(directory) || Appliances.EngineName(path) != path)
        {
            return [new FoundSource(new ImageName(source.Root.Text, file), path, source.Format) { Root = Address(directory) }];
        }

        string? problem = Directory.Exists(path) ? "is a directory, not an image" : Path.Exists(path) ? null : "there is no such file";
        return [new FoundSource(new ImageName(source.Root.Text, file), path, source.Format, problem)];
    }

    private IEnumerable<FoundSource> Matching(SourceSelection source, string directory, CancellationToken cancel)
    {
        if (RemoteRoot.IsOne(directory))
        {
            return Listed(source, directory, cancel);
        }

        if (!Directory.Exists(directory))
        {
            throw new GatheringException($"{directory}: the directory of root '{source.Root}' is not there", "mount it, or correct the path");
        }

        // Only where a pattern can match is looked: a root may be a large tree.
        IEnumerable<string> starts = source.Include.Select(glob => FixedDirectory(glob.Text)).Distinct(StringComparer.Ordinal);
        return starts.SelectMany(start => Under(source, directory, start, cancel)).OrderBy(file => file.Name);
    }

    private IEnumerable<FoundSource> Under(SourceSelection source, string root, string start, CancellationToken cancel)
    {
        var waiting = new Stack<string>([start]);
        while (waiting.TryPop(out string? relative))
        {
            cancel.ThrowIfCancellationRequested();
            if (!TryList(Path.Join(root, relative), out FileSystemInfo[] entries, out string? problem))
            {
                yield return new FoundSource(Name(source, relative.Length == 0 ? "." : relative), Path.Join(root, relative), null, problem);
                continue;
            }

            foreach (FileSystemInfo entry in entries)
            {
                string path = relative.Length == 0 ? entry.Name : $"{relative}/{entry.Name}";
                if (entry is DirectoryInfo)
                {
                    if (entry.LinkTarget is null && !OwnNames.IsOwn(entry.Name))
                    {
                        waiting.Push(path);
                    }
                }
                else if (OvaArchive.IsNamedLikeOne(entry.Name))
                {
                    foreach (FoundSource disk in Appliances.Disks(source, root, path, Locator))
                    {
                        yield return disk;
                    }
                }
                else if (source.Selects(path))
                {
                    string? bad = ImageName.PathProblem(path);
                    yield return new FoundSource(Name(source, path), entry.FullName, source.Format, bad is null ? null : $"the file's name {bad}; rename it");
                }
            }
        }
    }

    // What a server says that there is.
    private List<FoundSource> Listed(SourceSelection source, string address, CancellationToken cancel)
    {
        List<FoundSource> found = [];
        try
        {
            StorageProtocol protocol = Locator.ProtocolOf(address) ?? throw new ImageException(ImageErrorKind.Unsupported, address, $"Unknown protocol '{ImagePath.ProtocolOf(address)}'");
            foreach (string path in protocol.List(address, cancel))
            {
                if (OvaArchive.IsNamedLikeOne(path))
                {
                    found.AddRange(Appliances.Disks(source, address, path, Locator));
                }
                else if (source.Selects(path))
                {
                    string? bad = ImageName.PathProblem(path);
                    found.Add(new FoundSource(Name(source, path), RemoteRoot.NameOf(address, path), source.Format, bad is null ? null : $"the object's name {bad}") { Root = address });
                }
            }
        }
        catch (ImageException e) when (e.Kind == ImageErrorKind.Unsupported)
        {
            throw new GatheringException($"{address}: the root '{source.Root}' is a server, which is not searched", "name its images: 'files' instead of 'include'");
        }
        catch (ImageException e)
        {
            throw new GatheringException(ErrorText.Of(e, address));
        }

        return [.. found.OrderBy(file => file.Name)];
    }

    private static bool TryList(string directory, out FileSystemInfo[] entries, out string? problem)
    {
        (entries, problem) = ([], null);
        try
        {
            entries = new DirectoryInfo(directory).GetFileSystemInfos();
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            // A pattern's fixed part that is not there matches nothing.
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = $"cannot list this directory: {e.Message.ReplaceLineEndings(" ")}";
            return false;
        }
    }

    internal static string? Address(string directory) => RemoteRoot.IsOne(directory) ? directory : null;

    // A name that no image can have is shown, with what is wrong with it, in a form that one can have.
    internal static ImageName Name(SourceSelection source, string path)
    {
        string shown = ImageName.PathProblem(path) is null ? path : ErrorText.OneLine(path);
        return new ImageName(source.Root.Text, ImageName.PathProblem(shown) is null ? shown : "(root)");
    }

    // The directories in a pattern before its first wildcard.
    private static string FixedDirectory(string glob)
    {
        int wildcard = glob.AsSpan().IndexOfAny("*?[{\\");
        int slash = glob.LastIndexOf('/', wildcard < 0 ? glob.Length - 1 : wildcard);
        return slash <= 0 ? "" : glob[..slash];
    }
}
