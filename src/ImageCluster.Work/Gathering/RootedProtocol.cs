using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Work.Gathering;

/// <summary>A protocol confined to what lies below one address: whatever an image refers to, nothing else is asked for.</summary>
/// <param name="inner">Opens.</param>
/// <param name="root">The address; null for no confinement, where the policy lets images refer to nothing at all.</param>
/// <param name="opened">Told of each file that is opened, and its name.</param>
internal sealed class RootedProtocol(StorageProtocol inner, string? root, Action<string, IBlockFile> opened) : StorageProtocol
{
    private readonly string? _root = root is null || !IsFor(root) ? null : WithoutQuery(root).TrimEnd('/') + "/";

    public override IReadOnlyList<string> Schemes => inner.Schemes;

    /// <summary>True for addresses that have a path in which "below" means something.</summary>
    public static bool IsFor(string address) => IsWeb(address) || ImagePath.ProtocolOf(address) is "s3";

    public static bool IsWeb(string address) => ImagePath.ProtocolOf(address) is "http" or "https";

    public override IBlockFile Open(string name, OpenMode mode, IFileLocator files)
    {
        Require(name);
        IBlockFile file = inner.Open(name, mode, files);
        opened(name, file);
        return file;
    }

    public override bool Exists(string name, IFileLocator files)
    {
        Require(name);
        return inner.Exists(name, files);
    }

    public override string Combine(string referrer, string reference) => inner.Combine(referrer, reference);

    public override string Canonical(string name, IFileLocator files)
    {
        Require(name);
        return inner.Canonical(name, files);
    }

    private static string WithoutQuery(string address) => IsWeb(address) ? address.Split('?', '#')[0] : address;

    // A web server takes "..", escaped or not, for what it means; in a store it is a name like any other, but nobody means that.
    private void Require(string name)
    {
        string path = Uri.UnescapeDataString(WithoutQuery(name));
        bool leaves = path.Split('/', '\\').Any(static part => part is ".." or ".");
        if (_root is not null && (leaves || !name.StartsWith(_root, StringComparison.Ordinal)))
        {
            throw new ImageException(ImageErrorKind.Policy, name, $"'{name}' lies outside the allowed root '{_root}'");
        }
    }
}
