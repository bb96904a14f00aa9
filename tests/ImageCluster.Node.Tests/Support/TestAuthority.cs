using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ImageCluster.Node.Configuration;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Node.Tests.Support;

/// <summary>An authority that signs certificates of nodes, with its files in a directory.</summary>
internal sealed class TestAuthority : IDisposable
{
    public const string Password = "secret";
    public const string ServerUse = "1.3.6.1.5.5.7.3.1";

    private readonly TempDirectory _directory;
    private readonly string _name;
    private readonly X509Certificate2 _certificate;
    private readonly Dictionary<CertificateRequest, ECDsa> _keys = [];

    public TestAuthority(TempDirectory directory, string name)
    {
        (_directory, _name) = (directory, name);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = Request($"CN={name}", key, isAuthority: true);
        _certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddYears(-2), DateTimeOffset.UtcNow.AddYears(1));
        File.WriteAllText(Path, _certificate.ExportCertificatePem());
        File.WriteAllText(PasswordPath, Password);
    }

    /// <summary>PEM.</summary>
    public string Path => _directory[$"{_name}.pem"];

    public string PasswordPath => _directory["certificate-password"];

    public void Dispose() => _certificate.Dispose();

    /// <summary>Signs a certificate and puts it into a file of that name.</summary>
    /// <param name="name">Of the file and in the certificate.</param>
    /// <param name="days">That it is valid yet; negative: it was until then.</param>
    /// <param name="use">The only one that it is for; null: it says nothing of that.</param>
    /// <param name="isBelow">By an authority below this one, which goes into the file too.</param>
    public ClusterTls Issue(string name, int days = 1, string? use = null, bool isBelow = false)
    {
        var all = new X509Certificate2Collection();
        X509Certificate2 signer = _certificate;
        if (isBelow)
        {
            signer = Sign(_certificate, Request("CN=below", null, isAuthority: true), 30);
            all.Add(X509CertificateLoader.LoadCertificate(signer.RawData));
        }

        CertificateRequest request = Request($"CN={name}", null, isAuthority: false);
        if (use is not null)
        {
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(use)], critical: false));
        }

        all.Add(Sign(signer, request, days));
        string path = _directory[$"{name}.p12"];
        File.WriteAllBytes(path, all.Export(X509ContentType.Pkcs12, Password)!);
        return new ClusterTls(new CertificateFile(path, Password), Path);
    }

    private CertificateRequest Request(string name, ECDsa? key, bool isAuthority)
    {
        ECDsa own = key ?? ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, own, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(isAuthority, false, 0, critical: true));
        _keys[request] = own;
        return request;
    }

    private X509Certificate2 Sign(X509Certificate2 signer, CertificateRequest request, int days)
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 signed = request.Create(signer, now.AddDays(Math.Min(days, 0) - 1), now.AddDays(days), RandomNumberGenerator.GetBytes(8));
        return signed.CopyWithPrivateKey(_keys[request]);
    }
}
