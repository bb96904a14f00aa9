using ImageCluster.Jobs;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Cli.Migrating.Gathering;

/// <summary>Where the manifest's roots lie on this machine.</summary>
internal sealed class RootDirectories
{
    private readonly Dictionary<string, string> _directories = new(StringComparer.Ordinal);

    /// <param name="manifest">The manifest.</param>
    /// <param name="baseDirectory">What relative directories are relative to: the manifest's own directory.</param>
    /// <exception cref="CliException">A root has a name for which the manifest gives no directory.</exception>
    public RootDirectories(MigrationManifest manifest, string baseDirectory)
    {
        foreach (RootReference root in manifest.UsedRoots)
        {
            string? directory = manifest.Roots.GetValueOrDefault(root.Text) ?? (root.IsName ? null : root.Text);
            if (directory is null)
            {
                throw CliException.Usage($"root '{root}' has no directory",
                    $"name it in the manifest ('roots: {{ {root}: /path }}'), or write './{root}' for the directory of that name");
            }

            _directories[root.Text] = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory, baseDirectory));
        }

        Allowed = [.. _directories.Values.Concat(manifest.Roots.Values.Select(directory => Path.GetFullPath(directory, baseDirectory))).Distinct()];
    }

    /// <summary>Every directory that the manifest names: where the files of a chain may lie.</summary>
    public IReadOnlyList<string> Allowed { get; }

    /// <summary>The absolute path of a root that a source or the target uses.</summary>
    public string Of(RootReference root) => _directories[root.Text];

    /// <summary>The absolute path of an image.</summary>
    public string PathOf(ImageName image) => Path.Join(_directories[image.Root], image.Path);
}
