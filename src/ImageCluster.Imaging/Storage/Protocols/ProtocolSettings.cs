using ImageCluster.Imaging.Storage.Nbd;

namespace ImageCluster.Imaging.Storage.Protocols;

/// <summary>What protocols get from the program around them: credentials above all, which never stand in a name.</summary>
public sealed record ProtocolSettings
{
    public static readonly ProtocolSettings Default = new();

    /// <summary>A secret by its id (<c>--object secret,id=...</c>); null where there is none of that id.</summary>
    public Func<string, byte[]?> Secret { get; init; } = static _ => null;

    /// <summary>TLS credentials by their id (<c>--object tls-creds-x509,id=...</c>).</summary>
    /// <exception cref="ImageException">There are none of that id.</exception>
    public Func<string, TlsCredentials> TlsCredentials { get; init; } =
        static id => throw new ImageException(ImageErrorKind.Secret, null, $"No TLS credentials with id '{id}'");

    /// <summary>The NBD client's.</summary>
    public NbdSettings Nbd { get; init; } = NbdSettings.Default;
}
