using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Archives;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Work.Roots;

namespace ImageCluster.Work.Gathering;

/// <summary>
/// Appliances among the sources. To a migration an appliance is a directory of its disks: disk <c>disk1.vmdk</c> of <c>web.ova</c> is the image
/// <c>web.ova/disk1.vmdk</c>, a path that no file can have.
/// </summary>
public static class Appliances
{
    /// <summary>The name by which the engine opens what stands at <paramref name="path"/>: the path itself, or a disk in an appliance.</summary>
    /// <param name="path">Absolute.</param>
    public static string EngineName(string path)
    {
        if (RemoteRoot.IsOne(path))
        {
            return RemoteName(path);
        }

        for (int slash = path.LastIndexOf('/'); slash > 0; slash = path.LastIndexOf('/', slash - 1))
        {
            string above = path[..slash];
            if (OvaArchive.IsNamedLikeOne(above))
            {
                return File.Exists(above) ? $"ova:{above}#{path[(slash + 1)..]}" : path;
            }
        }

        return path;
    }

    /// <summary>The one name of what the engine opened under <see cref="EngineName"/>; null where it lies in no root or has a name that no image may have.</summary>
    public static ImageName? NameOf(string engineName, RootMap roots)
    {
        const string Scheme = "ova:";
        int member = engineName.LastIndexOf('#');
        if (!engineName.StartsWith(Scheme, StringComparison.Ordinal) || member < 0)
        {
            return roots.NameOf(engineName);
        }

        ImageName? appliance = roots.NameOf(engineName[Scheme.Length..member]);
        string path = $"{appliance?.Path}/{engineName[(member + 1)..]}";
        return appliance is null || ImageName.PathProblem(path) is not null ? null : new ImageName(appliance.Root, path);
    }

    /// <summary>The disks of an appliance that a source selects: all where the appliance itself is selected (but those that are excluded), else those whose own path is.</summary>
    /// <param name="source">Selects.</param>
    /// <param name="root">The root's directory or address.</param>
    /// <param name="relative">The appliance's path in its root.</param>
    /// <param name="files">Opens it; confined to the roots.</param>
    internal static IEnumerable<FoundSource> Disks(SourceSelection source, string root, string relative, IFileLocator files)
    {
        string PathOf(string inRoot) => RemoteRoot.IsOne(root) ? RemoteRoot.NameOf(root, inRoot) : Path.Join(root, inRoot);

        bool all = source.Selects(relative);
        (IReadOnlyList<OvaDisk> disks, string? problem) = Read(PathOf(relative), files);
        if (problem is not null)
        {
            return all ? [new FoundSource(SourceScanner.Name(source, relative), PathOf(relative), source.Format, problem)] : [];
        }

        return disks.Select(disk => (disk, inRoot: $"{relative}/{disk.Entry.Name}"))
            .Where(found => source.Selects(found.inRoot) || (all && !source.Exclude.Any(glob => glob.IsMatch(found.inRoot))))
            .Select(found => new FoundSource(SourceScanner.Name(source, found.inRoot), PathOf(found.inRoot), source.Format, Problem(found.disk, found.inRoot))
            {
                Root = SourceScanner.Address(root),
            });
    }

    // Parts of a web address are escaped, names of disks are not; a query belongs to the address.
    private static string RemoteName(string address)
    {
        bool isWeb = RootedProtocol.IsWeb(address);
        int query = isWeb ? address.IndexOf('?', StringComparison.Ordinal) : -1;
        (string path, string rest) = query < 0 ? (address, "") : (address[..query], address[query..]);
        for (int slash = path.LastIndexOf('/'); slash > 0; slash = path.LastIndexOf('/', slash - 1))
        {
            string above = path[..slash];
            if (OvaArchive.IsNamedLikeOne(above))
            {
                string disk = path[(slash + 1)..];
                return $"ova:{above}{rest}#{(isWeb ? Uri.UnescapeDataString(disk) : disk)}";
            }
        }

        return address;
    }

    private static (IReadOnlyList<OvaDisk> Disks, string? Problem) Read(string path, IFileLocator files)
    {
        try
        {
            using IBlockFile file = files.Open(path, new OpenMode { Lock = ImageLock.None });
            IReadOnlyList<OvaDisk> disks = OvaArchive.Read(file).Disks;
            return (disks, disks.Count == 0 ? "the appliance has no disk" : null);
        }
        catch (ImageException e)
        {
            return ([], ErrorText.Of(e, path));
        }
    }

    private static string? Problem(OvaDisk disk, string inRoot) =>
        ImageName.PathProblem(inRoot) is { } bad ? $"the disk's name {bad}"
        : disk.Entry.Name.Contains('#', StringComparison.Ordinal) ? "the disk's name has a '#'"
        : disk.Obstacle is { } obstacle ? $"the disk {obstacle} and cannot be read in place; unpack the appliance"
        : null;
}
