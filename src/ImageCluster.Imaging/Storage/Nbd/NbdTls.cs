using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>Puts TLS on a connection after NBD_OPT_STARTTLS: the server's certificate must be signed by one of ours and name the host.</summary>
/// <param name="credentials">Ours.</param>
/// <param name="hostName">Whom the certificate must name; null where nothing says, which is an error if it is to be verified.</param>
/// <param name="name">What messages call the file.</param>
internal sealed class NbdTls(TlsCredentials credentials, string? hostName, string name)
{
    public Stream Start(Stream stream)
    {
        if (credentials.VerifiesPeer && hostName is null)
        {
            throw Failure("No hostname for certificate validation", null);
        }

        string? problem = null;
        var layer = new SslStream(stream, leaveInnerStreamOpen: false);
        try
        {
            layer.AuthenticateAsClient(new SslClientAuthenticationOptions
            {
                TargetHost = hostName ?? "",
                ClientCertificates = credentials.Own is null ? null : new X509CertificateCollection { credentials.Own },
                CertificateChainPolicy = Policy(),
                RemoteCertificateValidationCallback = (_, _, chain, errors) => (problem = Problem(chain, errors)) is null,
            });
            return layer;
        }
        catch (Exception e) when (e is AuthenticationException or IOException or InvalidOperationException)
        {
            layer.Dispose();
            throw Failure(problem ?? $"TLS handshake failed: {(e.InnerException ?? e).Message.ReplaceLineEndings(" ")}", e);
        }
    }

    private X509ChainPolicy Policy()
    {
        X509ChainPolicy policy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(credentials.Authorities);
        return policy;
    }

    // In QEMU's words; null where the certificate will do.
    private string? Problem(X509Chain? chain, SslPolicyErrors errors)
    {
        if (!credentials.VerifiesPeer || errors == SslPolicyErrors.None)
        {
            return null;
        }

        if ((errors & SslPolicyErrors.RemoteCertificateNotAvailable) != 0)
        {
            return "The server shows no certificate";
        }

        if ((errors & SslPolicyErrors.RemoteCertificateChainErrors) == 0)
        {
            return $"Certificate does not match the hostname {hostName}";
        }

        X509ChainStatusFlags status = chain?.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, static (all, one) => all | one.Status) ?? X509ChainStatusFlags.NoError;
        return (status & X509ChainStatusFlags.NotTimeValid) != 0 ? "The certificate has expired" : "The certificate hasn't got a known issuer";
    }

    private ImageException Failure(string message, Exception? inner) => new(ImageErrorKind.Secret, name, message, inner);
}
