using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ImageCluster.Node.Configuration;

namespace ImageCluster.Node.Remoting;

/// <summary>
/// How nodes prove themselves to each other: both sides of each connection show a certificate of one of the cluster's authorities. The files are read again when
/// they have changed, so that certificates are renewed without a restart; connections that are there stay.
/// </summary>
internal sealed class NodeIdentity
{
    private readonly ClusterTls _tls;
    private readonly Lock _lock = new();
    private (NodeCertificates Certificates, SslStreamCertificateContext Context) _current;
    private (DateTime, DateTime) _version;

    /// <exception cref="CryptographicException">A file is not what it should be.</exception>
    public NodeIdentity(ClusterTls tls)
    {
        _tls = tls;
        _version = Version();
        _current = Load();
    }

    /// <summary>A connection that this node took.</summary>
    /// <exception cref="AuthenticationException">The other is no node of this cluster: why.</exception>
    /// <exception cref="IOException">The connection ended.</exception>
    public async Task<SslStream> TakeAsync(Stream connection, CancellationToken stop)
    {
        (NodeCertificates certificates, SslStreamCertificateContext context) = Current();
        var refusal = new Refusal(certificates);
        var options = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = context,
            ClientCertificateRequired = true,
            CertificateChainPolicy = certificates.Policy(),
            RemoteCertificateValidationCallback = refusal.Accepts,
            // Each connection shows its certificate anew.
            AllowTlsResume = false,
            AllowRenegotiation = false,
        };
        return await refusal.ExplainAsync(connection, stream => stream.AuthenticateAsServerAsync(options, stop));
    }

    /// <summary>A connection that this node made.</summary>
    /// <param name="connection">Open.</param>
    /// <param name="host">What the other is called, for it to know; it need not be in its certificate.</param>
    /// <param name="stop">Ends the attempt.</param>
    /// <exception cref="AuthenticationException">The other is no node of this cluster: why.</exception>
    /// <exception cref="IOException">The connection ended.</exception>
    public async Task<SslStream> MakeAsync(Stream connection, string host, CancellationToken stop)
    {
        (NodeCertificates certificates, SslStreamCertificateContext context) = Current();
        var refusal = new Refusal(certificates);
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = host,
            ClientCertificateContext = context,
            CertificateChainPolicy = certificates.Policy(),
            RemoteCertificateValidationCallback = refusal.Accepts,
            AllowTlsResume = false,
            AllowRenegotiation = false,
        };
        return await refusal.ExplainAsync(connection, stream => stream.AuthenticateAsClientAsync(options, stop));
    }

    private (NodeCertificates Certificates, SslStreamCertificateContext Context) Current()
    {
        lock (_lock)
        {
            (DateTime, DateTime) version = Version();
            if (version != _version)
            {
                try
                {
                    _current = Load();
                    _version = version;
                }
                catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
                {
                    // Half written, perhaps: the next connection looks again, this one uses what was there.
                }
            }

            return _current;
        }
    }

    private (DateTime, DateTime) Version() =>
        (File.GetLastWriteTimeUtc(_tls.Certificate.Path), _tls.AuthorityPath is { } path ? File.GetLastWriteTimeUtc(path) : default);

    private (NodeCertificates, SslStreamCertificateContext) Load()
    {
        var certificates = NodeCertificates.Load(_tls);
        return (certificates, SslStreamCertificateContext.Create(certificates.Own, certificates.Others, offline: true));
    }

    /// <summary>Looks at the other's certificate, and remembers what was wrong with it.</summary>
    private sealed class Refusal(NodeCertificates certificates)
    {
        private string? _reason;

        public bool Accepts(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
        {
            _reason = certificates.Refusal(certificate, chain, errors);
            return _reason is null;
        }

        public async Task<SslStream> ExplainAsync(Stream connection, Func<SslStream, Task> greet)
        {
            var stream = new SslStream(connection);
            try
            {
                await greet(stream);
                return stream;
            }
            catch (Exception e)
            {
                await stream.DisposeAsync();
                if (_reason is not null)
                {
                    throw new AuthenticationException(_reason, e);
                }

                if (e is AuthenticationException)
                {
                    string said = (e.InnerException ?? e).Message.ReplaceLineEndings(" ");
                    throw new AuthenticationException($"it does not speak TLS as nodes with cluster.tls.certificate do, or does not accept this node's certificate ({said})", e);
                }

                throw;
            }
        }
    }
}
