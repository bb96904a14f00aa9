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
    // Written the same in every address.
    private const string AnyPath = "any0path";

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

    /// <summary>The path in the root of what the engine opens under <paramref name="name"/>: the other way round. Null where it is not of that root.</summary>
    public static string? PathOf(string root, string name)
    {
        string any = NameOf(root, AnyPath);
        int at = any.LastIndexOf(AnyPath, StringComparison.Ordinal);
        (string before, string after) = (any[..at], any[(at + AnyPath.Length)..]);
        if (name.Length <= before.Length + after.Length || !name.StartsWith(before, StringComparison.Ordinal) || !name.EndsWith(after, StringComparison.Ordinal))
        {
            return null;
        }

        string written = name[before.Length..^after.Length];
        // Some protocols escape paths and some do not.
        return new[] { Uri.UnescapeDataString(written), written }.FirstOrDefault(path => NameOf(root, path) == name);
    }
}
