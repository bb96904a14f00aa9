using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ImageCluster.Node.Configuration;

namespace ImageCluster.Node.Remoting;

/// <summary>What a node proves itself by, and the authorities that other nodes' certificates must come from.</summary>
internal sealed class NodeCertificates
{
    private readonly X509Certificate2Collection? _authorities;
    private readonly string _authorityPath;

    private NodeCertificates(ClusterTls tls)
    {
        X509Certificate2Collection all = X509CertificateLoader.LoadPkcs12CollectionFromFile(tls.Certificate.Path, tls.Certificate.Password);
        Own = all.FirstOrDefault(certificate => certificate.HasPrivateKey) ?? throw new CryptographicException("it has no private key");
        Others = [.. all.Where(certificate => certificate != Own)];
        _authorityPath = tls.AuthorityPath ?? "";
        if (tls.AuthorityPath is { } path)
        {
            _authorities = [];
            _authorities.ImportFromPemFile(path);
            if (!_authorities.Any(certificate => certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData)))
            {
                throw new CryptographicException($"'{path}' has no certificate of an authority that signed itself");
            }
        }
    }

    public X509Certificate2 Own { get; }

    /// <summary>Authorities between the node's and the highest one, from the node's file.</summary>
    public X509Certificate2Collection Others { get; }

    /// <summary>Certificates of other nodes are looked at.</summary>
    public bool AreChecked => _authorities is not null;

    /// <exception cref="CryptographicException">A file is not what it should be, or the password is wrong.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be.</exception>
    public static NodeCertificates Load(ClusterTls tls) => new(tls);

    /// <summary>
    /// A new one for each connection: it is changed by its use. Only the cluster's authorities count, never those that the machine trusts, and nothing is
    /// fetched because a stranger's certificate says so.
    /// </summary>
    public X509ChainPolicy? Policy()
    {
        if (_authorities is null)
        {
            return null;
        }

        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        policy.CustomTrustStore.AddRange(_authorities);
        return policy;
    }

    /// <summary>Why other nodes would refuse this one; null where they would not.</summary>
    public string? OwnProblem()
    {
        if (Policy() is not { } policy)
        {
            return null;
        }

        policy.ExtraStore.AddRange(Others);
        using var chain = new X509Chain { ChainPolicy = policy };
        return chain.Build(Own) ? null : Reason(Own, chain);
    }

    /// <summary>Why another node's certificate is refused; null where it is not. Names are not compared: what counts is who signed it.</summary>
    public string? Refusal(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (!AreChecked)
        {
            return null;
        }

        if (certificate is not X509Certificate2 shown || chain is null || errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable))
        {
            return "it shows no certificate";
        }

        return errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors) ? Reason(shown, chain) : null;
    }

    private string Reason(X509Certificate2 certificate, X509Chain chain)
    {
        X509ChainStatusFlags flags = chain.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, status) => all | status.Status);
        string name = $"its certificate ({Shown(certificate.Subject)}, from {Shown(certificate.Issuer)})";
        if ((flags & (X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain)) != 0)
        {
            return $"{name} comes from no authority in '{_authorityPath}'";
        }

        if (flags.HasFlag(X509ChainStatusFlags.NotTimeValid))
        {
            return $"{name} is valid only from {certificate.NotBefore.ToUniversalTime():u} to {certificate.NotAfter.ToUniversalTime():u}, or an authority's above it is not valid now";
        }

        return flags.HasFlag(X509ChainStatusFlags.NotValidForUsage)
            ? $"{name} is not for this use: a node's is for both a server and a client, or says nothing of its use"
            : $"{name}: {string.Join("; ", chain.ChainStatus.Select(status => status.StatusInformation.ReplaceLineEndings(" ").Trim()))}";
    }

    // From a stranger, and goes to the log.
    private static string Shown(string name)
    {
        string shown = string.Concat(name.Where(c => !char.IsControl(c)));
        return shown.Length > 120 ? shown[..120] + "..." : shown;
    }
}
