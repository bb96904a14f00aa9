using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Work.Roots;

/// <summary>
/// Roots that are no directories but servers and stores: <c>nbd://host</c>, <c>https://host/images</c>, <c>s3://bucket/images</c>. Images in them are
/// named one by one.
/// </summary>
public static class RemoteRoot
{
    /// <summary>True for a URL.</summary>
    public static bool IsOne(string directory) => directory.Contains("://", StringComparison.Ordinal) && ImagePath.HasProtocol(directory);

    /// <summary>The name by which the engine opens the image that has <paramref name="path"/> in the root.</summary>
    /// <exception cref="ImageException">There is no such protocol, or the root is not a name of it.</exception>
    public static string NameOf(string root, string path)
    {
        string scheme = ImagePath.ProtocolOf(root)!;
        StorageProtocol protocol = ProtocolRegistry.Create(ProtocolSettings.Default).FirstOrDefault(protocol => protocol.Schemes.Contains(scheme))
            ?? throw new ImageException(ImageErrorKind.Unsupported, root, $"Unknown protocol '{scheme}'");
        return protocol.Below(root, path);
    }
}
