using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;

namespace ImageCluster.Cluster.Working;

/// <summary>The roots of one node, and the only way to files in them.</summary>
/// <param name="directories">Absolute paths by the roots' names.</param>
public sealed class RootMap(IReadOnlyDictionary<string, string> directories)
{
    /// <summary>Confined to the roots: whatever an image refers to, no other file is opened.</summary>
    public IFileLocator Locator { get; } = new ConfinedLocator(new LocalFileLocator(), directories.Values);

    /// <summary>The absolute path of an image on this node.</summary>
    /// <exception cref="ImageException">This node does not have the root.</exception>
    public string PathOf(ImageName image) => directories.TryGetValue(image.Root, out string? directory)
        ? Path.Join(directory, image.Path)
        : throw new ImageException(ImageErrorKind.NotFound, image.ToString(), $"This node does not reach the root '{image.Root}'");
}
