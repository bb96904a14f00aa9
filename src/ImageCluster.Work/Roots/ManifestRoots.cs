using ImageCluster.Jobs.Manifests;
using ImageCluster.Work.Gathering;

namespace ImageCluster.Work.Roots;

/// <summary>Where a manifest's roots lie on the one machine that carries it out.</summary>
public static class ManifestRoots
{
    /// <param name="manifest">The manifest.</param>
    /// <param name="baseDirectory">What relative directories are relative to: the manifest's own directory.</param>
    /// <param name="alsoAllowed">Directories beyond the manifest's own in which the files of a chain may lie.</param>
    /// <exception cref="GatheringException">A root has a name for which the manifest gives no directory.</exception>
    public static RootMap Of(MigrationManifest manifest, string baseDirectory, params IEnumerable<string> alsoAllowed)
    {
        var directories = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (RootReference root in manifest.UsedRoots)
        {
            string? directory = manifest.Roots.GetValueOrDefault(root.Text) ?? (root.IsName ? null : root.Text);
            if (directory is null)
            {
                throw new GatheringException($"root '{root}' has no directory",
                    $"name it in the manifest ('roots: {{ {root}: /path }}'), or write './{root}' for the directory of that name");
            }

            if (RemoteRoot.IsOne(directory))
            {
                directories[root.Text] = root == manifest.Target.Root
                    ? throw new GatheringException($"{directory}: targets go to a directory, not to a server", "convert to a directory and copy from there")
                    : directory;
                continue;
            }

            directories[root.Text] = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory, baseDirectory));
        }

        return new RootMap(directories, alsoAllowed:
            [.. manifest.Roots.Values.Where(directory => !RemoteRoot.IsOne(directory)).Select(directory => Path.GetFullPath(directory, baseDirectory)), .. alsoAllowed]);
    }
}
