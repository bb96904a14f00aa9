using ImageCluster.Imaging.Storage.Native;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>Exports of NBD servers; see <see cref="NbdName"/> for their names.</summary>
public sealed class NbdProtocol(ProtocolSettings settings) : StorageProtocol
{
    public override IReadOnlyList<string> Schemes { get; } = ["nbd", "nbd+tcp", "nbd+unix"];

    public override string DriverOf(string scheme) => "nbd";

    public override bool CanWrite => true;

    public override IReadOnlyList<string> OptionNames => NbdOptions.Names;

    public override IBlockFile Open(string name, OpenMode mode, IFileLocator files)
    {
        NbdAddress address = NbdName.Parse(name);
        NbdSettings nbd = settings.Nbd;
        var session = new NbdSession(new NbdConnector(address, name, nbd, TlsOf(address, name)), nbd);
        if (!mode.Write || !session.Export.Has(NbdExportFlags.ReadOnly))
        {
            return new NbdFile(name, session, nbd, mode);
        }

        session.Dispose();
        throw new ImageException(ImageErrorKind.Io, name, "Could not open image: Permission denied") { Errno = Errno.Access };
    }

    /// <summary>An export has no directory: a relative name in an image's metadata means nothing.</summary>
    public override string Combine(string referrer, string reference) => ImagePath.IsAbsolute(reference) || ImagePath.HasProtocol(reference)
        ? reference
        : throw new ImageException(ImageErrorKind.InvalidArgument, referrer, "Cannot generate a base directory for NBD nodes");

    public override string Canonical(string name, IFileLocator files) => NbdName.Parse(name).ToName();

    public override string Below(string root, string path)
    {
        NbdAddress server = NbdName.Parse(root);
        return (server with { Export = server.Export.Length == 0 ? path : $"{server.Export.TrimEnd('/')}/{path}" }).ToName();
    }

    public override string DisplayName(string name) => NbdName.Parse(name).ToString();

    public override string NameOf(string driver, IReadOnlyDictionary<string, string> options) => NbdOptions.Parse(options).ToName();

    // An id is one that the program around us knows; a path is the credentials' directory itself.
    private Func<Stream, Stream>? TlsOf(NbdAddress address, string name)
    {
        if (address.TlsCredentials is not { } id)
        {
            return null;
        }

        TlsCredentials credentials = id.StartsWith('/') ? TlsCredentials.Load(id) : settings.TlsCredentials(id);
        string? host = address.TlsHostName ?? (address.SocketPath is null ? address.Host : null);
        return new NbdTls(credentials, host, name).Start;
    }
}
