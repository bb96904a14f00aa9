using ImageCluster.Jobs.Manifests;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Secrets;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Roots;

/// <summary>Where a manifest's roots lie on the one machine that carries it out.</summary>
public static class ManifestRoots
{
    /// <param name="manifest">The manifest.</param>
    /// <param name="baseDirectory">What relative directories are relative to: the manifest's own directory.</param>
    /// <param name="secrets">Passwords of encrypted images.</param>
    /// <param name="alsoAllowed">Directories beyond the manifest's own in which the files of a chain may lie.</param>
    /// <exception cref="GatheringException">A root has a name for which the manifest gives no directory.</exception>
    public static RootMap Of(MigrationManifest manifest, string baseDirectory, SecretStore secrets, params IEnumerable<string> alsoAllowed)
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
                RequireTarget(manifest, root, directory);
                directories[root.Text] = directory;
                continue;
            }

            directories[root.Text] = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory, baseDirectory));
        }

        if (manifest.Target.Backing == BackingChain.Keep && manifest.Target.Root.Text is var target
            && (RemoteRoot.IsOne(directories[target]) || TargetStanding.IsForDevices(directories[target])))
        {
            throw new GatheringException("'target.backing: keep' needs a directory for the targets, in which they find each other", "set it to flatten");
        }

        return new RootMap(directories, secrets: secrets, alsoAllowed:
            [.. manifest.Roots.Values.Where(directory => !RemoteRoot.IsOne(directory)).Select(directory => Path.GetFullPath(directory, baseDirectory)), .. alsoAllowed]);
    }

    private static void RequireTarget(MigrationManifest manifest, RootReference root, string address)
    {
        if (root == manifest.Target.Root && !TargetStanding.IsWritable(address))
        {
            throw new GatheringException($"{address}: nothing can be written there", "targets go to a directory, to nbd://, nbd+unix:// or s3://");
        }
    }
}
