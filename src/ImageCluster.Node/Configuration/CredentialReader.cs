using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ImageCluster.Node.Remoting;

namespace ImageCluster.Node.Configuration;

/// <summary>
/// Secrets and certificates by the settings that name them. All are opened once, so that a wrong password or a certificate that nobody will take is a line at the start and
/// not a failed connection later.
/// </summary>
/// <param name="values">What was set; takes what is wrong.</param>
/// <param name="directory">What relative names are relative to.</param>
internal sealed class CredentialReader(SettingValues values, string directory)
{
    /// <summary>A secret that stands in a setting or in the file that another names; null where neither is set.</summary>
    public string? Secret(TypedSetting<string> value, TypedSetting<string> file)
    {
        if (values.Find(file) is not { } name)
        {
            return values.Find(value);
        }

        if (values.Has(value))
        {
            values.Refuse(value, $"both '{value.Key}' and '{file.Key}' are set");
        }

        try
        {
            string secret = File.ReadAllText(Path.GetFullPath(name, directory)).Trim();
            if (secret.Length == 0)
            {
                values.Refuse(file, $"'{name}' is empty");
            }

            return secret;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            values.Refuse(file, e.Message.ReplaceLineEndings(" "));
            return null;
        }
    }

    /// <summary>A certificate with its private key; null where none is set.</summary>
    public CertificateFile? Certificate(TypedSetting<string> file, TypedSetting<string> password, TypedSetting<string> passwordFile)
    {
        string? secret = Secret(password, passwordFile);
        if (values.Find(file) is not { } name)
        {
            return null;
        }

        string path = Path.GetFullPath(name, directory);
        try
        {
            using X509Certificate2 certificate = X509CertificateLoader.LoadPkcs12FromFile(path, secret);
            if (!certificate.HasPrivateKey)
            {
                values.Refuse(file, $"'{path}' has no private key");
            }
        }
        catch (Exception e) when (IsUnusable(e))
        {
            values.Refuse(file, $"'{path}' cannot be used: {e.Message.ReplaceLineEndings(" ")}");
        }

        return new CertificateFile(path, secret ?? "");
    }

    /// <summary>TLS between nodes; null where there is none.</summary>
    public ClusterTls? ClusterTls()
    {
        int problems = values.Problems.Count;
        CertificateFile? certificate = Certificate(NodeSettings.TlsCertificate, NodeSettings.TlsPassword, NodeSettings.TlsPasswordFile);
        string? authority = values.Find(NodeSettings.TlsAuthority) is { } name ? Path.GetFullPath(name, directory) : null;
        bool isChecked = values.Get(NodeSettings.TlsValidate);
        if (certificate is null)
        {
            if (authority is not null)
            {
                values.Refuse(NodeSettings.TlsAuthority, "it goes with cluster.tls.certificate, this node's own");
            }

            return null;
        }

        if (isChecked && authority is null)
        {
            values.Refuse(NodeSettings.TlsCertificate, "set cluster.tls.authority too: the file (PEM) of the authority that signs nodes' certificates, so that nobody with a certificate of another comes in");
        }

        var tls = new ClusterTls(certificate, isChecked ? authority : null);
        if (values.Problems.Count == problems)
        {
            Look(tls);
        }

        return tls;
    }

    private void Look(ClusterTls tls)
    {
        try
        {
            if (NodeCertificates.Load(tls).OwnProblem() is { } problem)
            {
                values.Refuse(NodeSettings.TlsCertificate, $"other nodes would refuse this one: {problem}");
            }
        }
        catch (Exception e) when (IsUnusable(e))
        {
            values.Refuse(NodeSettings.TlsAuthority, $"'{tls.AuthorityPath}' cannot be used: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    private static bool IsUnusable(Exception e) => e is CryptographicException or IOException or UnauthorizedAccessException;
}
