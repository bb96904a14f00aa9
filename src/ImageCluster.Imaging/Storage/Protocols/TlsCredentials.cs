using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ImageCluster.Imaging.Storage.Protocols;

/// <summary>
/// Certificates for TLS connections to servers, from a directory laid out as QEMU has it (<c>tls-creds-x509</c>): <c>ca-cert.pem</c>, and
/// where the server asks who we are <c>client-cert.pem</c> with <c>client-key.pem</c>.
/// </summary>
public sealed record TlsCredentials
{
    /// <summary>Who may sign a server's certificate.</summary>
    public required X509Certificate2Collection Authorities { get; init; }

    /// <summary>Ours, with its key; null where we have none.</summary>
    public X509Certificate2? Own { get; init; }

    /// <summary>False to take whatever certificate a server shows.</summary>
    public bool VerifiesPeer { get; init; } = true;

    /// <summary>Reads a directory.</summary>
    /// <param name="directory">Its path.</param>
    /// <param name="verifiesPeer">See <see cref="VerifiesPeer"/>.</param>
    /// <param name="keyPassword">Of an encrypted key; null for one in the clear.</param>
    /// <exception cref="ImageException">A file is missing, or is no certificate or key.</exception>
    public static TlsCredentials Load(string directory, bool verifiesPeer = true, string? keyPassword = null)
    {
        string authority = Path.Join(directory, "ca-cert.pem");
        string certificate = Path.Join(directory, "client-cert.pem");
        string key = Path.Join(directory, "client-key.pem");
        if (!File.Exists(authority))
        {
            throw NoAccess(authority, "No such file or directory", null);
        }

        X509Certificate2Collection authorities = [];
        Read(authority, () => authorities.ImportFromPemFile(authority));
        X509Certificate2? own = null;
        if (File.Exists(certificate) || File.Exists(key))
        {
            Read(File.Exists(certificate) ? key : certificate, () => own = keyPassword is null
                ? X509Certificate2.CreateFromPemFile(certificate, key)
                : X509Certificate2.CreateFromEncryptedPemFile(certificate, keyPassword, key));
        }

        return new TlsCredentials { Authorities = authorities, Own = own, VerifiesPeer = verifiesPeer };
    }

    private static void Read(string path, Action read)
    {
        try
        {
            read();
        }
        catch (FileNotFoundException e)
        {
            throw NoAccess(path, "No such file or directory", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw NoAccess(path, "Permission denied", e);
        }
        catch (Exception e) when (e is CryptographicException or IOException or ArgumentException)
        {
            throw new ImageException(ImageErrorKind.Secret, path, $"Unable to import certificate or key {path}: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    private static ImageException NoAccess(string path, string why, Exception? inner) =>
        new(ImageErrorKind.Secret, path, $"Unable to access credentials {path}: {why}", inner);
}
