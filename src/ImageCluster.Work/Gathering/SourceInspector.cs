using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Archives;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Plans;
using ImageCluster.Work.Secrets;

namespace ImageCluster.Work.Gathering;

/// <summary>Opens sources, for the plan and for the conversion alike: confined to the roots, under QEMU's locks, watched for changes.</summary>
/// <param name="locator">This machine's files.</param>
/// <param name="allowedRoots">Directories in which every file of a chain must lie.</param>
/// <param name="protocols">How roots that are addresses are reached; null for every protocol there is.</param>
/// <param name="allowProbedBacking">A backing file whose format the overlay does not state is probed; else the image is refused.</param>
/// <param name="secrets">Passwords of encrypted images; null for none.</param>
public sealed class SourceInspector(
    IFileLocator locator, IReadOnlyList<string> allowedRoots, bool allowProbedBacking, IReadOnlyList<StorageProtocol>? protocols = null, SecretStore? secrets = null)
{
    // Appliances lie in files, and these in the roots.
    private readonly ProtocolLocator _files = new(locator, new ArchiveProtocol());

    // Servers that the manifest names; what an image names is fetched from below the same root or not at all.
    private readonly IReadOnlyList<StorageProtocol> _servers = protocols ?? ProtocolRegistry.Create(ProtocolSettings.Default);

    /// <summary>Opens a source with its chain. Whoever has the image open for writing makes this fail, and while it is open nobody else can.</summary>
    public OpenedSource Open(FoundSource source)
    {
        if (source.Problem is not null)
        {
            throw new ImageException(ImageErrorKind.NotFound, source.Path, source.Problem);
        }

        var watch = new SourceWatch(new ConfinedLocator(locator, allowedRoots));
        LayeredDisk disk = OpenDisk(source, watch);
        if (source.Format is null && disk.Top.FormatName == "raw" && FormatOfName(source.Path) is { } claimed)
        {
            disk.Dispose();
            throw new ImageException(ImageErrorKind.NotThisFormat, source.Path,
                $"The name says {claimed}, the content does not: it is empty, damaged or something else")
            {
                Hint = "If it is meant to be a disk, state the format of the source.",
            };
        }

        bool hasOtherFiles = disk.Layers.Count > 1 || watch.Files.Count > 1;
        if (source.Format is null && !allowProbedBacking && disk.Top.FormatName != "raw" && MayBeAGuestsWriting(source.Path, hasOtherFiles) is { } reason)
        {
            string found = disk.Top.FormatName;
            disk.Dispose();
            throw new ImageException(ImageErrorKind.Policy, source.Path, $"The content begins as {found}{reason}: a guest can write that into its raw disk")
            {
                Hint = "State the format of the source.",
            };
        }

        return new OpenedSource(disk, watch) { IsRemote = source.IsRemote };
    }

    private LayeredDisk OpenDisk(FoundSource source, SourceWatch watch)
    {
        Func<string, byte[]?> secret = (secrets ?? SecretStore.None).For(source.Secret);
        try
        {
            return new ChainOpener(new ProtocolLocator(watch, Protocols(source, watch))).Open(Appliances.EngineName(source.Path), new ChainOptions
            {
                Format = source.Format,
                AllowProbedBacking = allowProbedBacking,
                References = source.Root is not null && RootedProtocol.IsFor(source.Path) ? ProtocolPolicy.Of(ImagePath.ProtocolOf(source.Path)!) : ProtocolPolicy.FilesOnly,
                Secret = secret,
                BackingSecret = secret,
            });
        }
        catch (ImageException e) when (e is { Kind: ImageErrorKind.Secret, Hint: null } && source.Secret.Length == 0)
        {
            throw new ImageException(e.Kind, e.File, e.Message, e) { Hint = "The image is encrypted: name the secret with its password." };
        }
    }

    /// <summary>What the plan wants to know; an image that cannot be read has its problem in one line.</summary>
    /// <param name="source">The file.</param>
    /// <param name="backing">Whether chains are kept, so that only the top's own data counts.</param>
    /// <param name="cancel">Looked at between extents.</param>
    public SourceFacts Inspect(FoundSource source, BackingChain backing, CancellationToken cancel)
    {
        var facts = new SourceFacts { Image = source.Name, Identity = Identity(source.Path), Secret = source.Secret };
        try
        {
            using OpenedSource opened = Open(source);
            string[] layers = [.. opened.Disk.Layers.Select(layer => Identity(layer.FileName))];
            return facts with
            {
                Chain = [.. opened.Disk.Layers.Select((layer, i) => new ChainLayer(layer.FileName, layer.FormatName, layers[i]))],
                OtherFiles = [.. opened.Watch.Files.Except(layers)],
                VirtualSize = opened.Disk.VirtualSize,
                AllocatedBytes = DataBytes(opened.Disk, LayersToRead(opened.Disk, backing), 0, opened.Disk.VirtualSize, cancel),
            };
        }
        catch (ImageException e)
        {
            return facts with { Problem = ErrorText.Of(e, source.Path) };
        }
    }

    /// <summary>How many layers a conversion reads: all of them, or the top where the target stands on its base's target.</summary>
    public static int LayersToRead(LayeredDisk disk, BackingChain backing) => backing == BackingChain.Keep ? 1 : disk.Layers.Count;

    /// <summary>Guest bytes between <paramref name="start"/> and <paramref name="end"/> that the metadata says must be read.</summary>
    public static long DataBytes(LayeredDisk disk, int layers, long start, long end, CancellationToken cancel)
    {
        long data = 0;
        foreach (DiskExtent found in disk.MapRange(start, end - start, layers))
        {
            cancel.ThrowIfCancellationRequested();
            data += found.Extent.Kind is ExtentKind.Data or ExtentKind.Compressed ? found.Extent.Length : 0;
        }

        return data;
    }

    private IEnumerable<StorageProtocol> Protocols(FoundSource source, SourceWatch watch) => source.IsRemote
        ? [new ArchiveProtocol(), .. _servers.Where(static protocol => protocol is not ArchiveProtocol).Select(protocol => new RootedProtocol(protocol, source.Root, watch.Note))]
        : [new ArchiveProtocol()];

    // What probes as raw under such a name is far more likely a damaged image than a disk: converting it would pass every verification.
    private static string? FormatOfName(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".qcow2" => "qcow2",
        ".qcow" => "qcow",
        ".qed" => "qed",
        ".vmdk" when !IsFlatExtent(Path.GetFileNameWithoutExtension(path)) => "vmdk",
        ".vdi" => "vdi",
        ".vhdx" => "vhdx",
        ".luks" => "luks",
        _ => null,
    };

    // What a raw disk begins with is its guest's to write. Taken for an image it would show other bytes than the guest's and, worse, the files that it
    // names. So a name that says raw counts, and one that says nothing does where other files come in.
    private static string? MayBeAGuestsWriting(string path, bool hasOtherFiles) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".raw" => ", the name says raw",
        ".vmdk" when IsFlatExtent(Path.GetFileNameWithoutExtension(path)) => ", the name says that it is a part of a flat vmdk",
        "" or ".img" or ".bin" or ".dd" or ".disk" or ".dsk" or ".iso" when hasOtherFiles => " and names other files, the name does not say so",
        _ => null,
    };

    // The parts of flat vmdk images: disk-flat.vmdk, disk-f001.vmdk.
    private static bool IsFlatExtent(string name) =>
        name.EndsWith("-flat", StringComparison.OrdinalIgnoreCase) ||
        (name.Length > 5 && name[^5..^3].Equals("-f", StringComparison.OrdinalIgnoreCase) && name[^3..].All(char.IsAsciiDigit));

    private string Identity(string path)
    {
        try
        {
            return _files.Canonical(Appliances.EngineName(path));
        }
        catch (ImageException)
        {
            // A link that leads nowhere, or in circles: opening it will say so.
            return path;
        }
    }
}
