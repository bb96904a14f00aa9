using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Http;
using ImageCluster.Testing.Http;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage.Http;

/// <summary>Credentials, redirects, certificates: who gets to know what, and who is believed.</summary>
public sealed class HttpTrustTests
{
    private static readonly byte[] Content = HttpFileTests.Content(10_000);

    [Fact]
    public void CredentialsOfTheEnvironmentGoToTheirHostOnly()
    {
        using HttpTestServer other = new(query => HttpReply.File(query, Content));
        using HttpTestServer server = new(query => query.Header("Authorization") == Basic("me", "s3cret")
            ? new HttpReply(302).With("Location", other.Address + "/there")
            : new HttpReply(401));
        Dictionary<string, string> environment = new()
        {
            ["IMAGECLUSTER_HTTP_HOST"] = $"127.0.0.1:{server.Port}",
            ["IMAGECLUSTER_HTTP_USER"] = "me",
            ["IMAGECLUSTER_HTTP_PASSWORD"] = "s3cret",
        };
        HttpCredentials credentials = HttpCredentials.FromEnvironment(name => environment.GetValueOrDefault(name));
        using (IBlockFile file = HttpFileTests.Open(server.Address + "/x", credentials: credentials))
        {
            Assert.Equal(Content, HttpFileTests.ReadAll(file));
        }

        Assert.All(other.Queries, query => Assert.Null(query.Header("Authorization")));
        Assert.NotEmpty(other.Queries);
    }

    [Fact]
    public void ATokenIsSentAsBearer()
    {
        using HttpTestServer server = new(query => query.Header("Authorization") == "Bearer t0ken" ? HttpReply.File(query, Content) : new HttpReply(401));
        using TempDirectory directory = new();
        File.WriteAllText(directory["netrc"], $"# mine\nmachine elsewhere login a password b\nmachine 127.0.0.1:{server.Port}\n  token t0ken\n");
        HttpCredentials credentials = HttpCredentials.FromEnvironment(name => name == "IMAGECLUSTER_NETRC" ? directory["netrc"] : null);
        using IBlockFile file = HttpFileTests.Open(server.Address + "/x", credentials: credentials);
        Assert.Equal(Content, HttpFileTests.ReadAll(file));
        ImageException e = Assert.Throws<ImageException>(() => HttpFileTests.Open(server.Address + "/x"));
        Assert.Equal("CURL: Error opening file: The requested URL returned error: 401", e.Message);
    }

    [Fact]
    public void APasswordInAnAddressIsRefusedAndNotRepeated()
    {
        ImageException e = Assert.Throws<ImageException>(() => HttpFileTests.Open("http://me:s3cret@127.0.0.1/x"));
        Assert.Equal(ImageErrorKind.InvalidArgument, e.Kind);
        Assert.DoesNotContain("s3cret", e.Message + e.File + e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void CredentialsWithoutAHostAreRefused()
    {
        ImageException e = Assert.Throws<ImageException>(() => HttpCredentials.FromEnvironment(name => name == "IMAGECLUSTER_HTTP_TOKEN" ? "t" : null));
        Assert.Contains("IMAGECLUSTER_HTTP_HOST", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("machine h login a password b", "h:80 a b")]
    [InlineData("machine h\n\tlogin a\n\tpassword \"b c\\\"d\"\n", "h:80 a b c\"d")]
    [InlineData("default login x password y\nmachine h login a password b", "h:80 a b")]
    [InlineData("macdef m\nmachine h login bad password bad\n\nmachine h login a password b", "h:80 a b")]
    [InlineData("machine h account q login a password b # c", "h:80 a b")]
    [InlineData("machine h login a password b machine h login c password d", "h:80 a b")]
    [InlineData("machine H login a password b", "h:80 a b")]
    [InlineData("machine h:81 login a password b", "h:80 ")]
    public void NetrcFilesAreReadAsOthersReadThem(string text, string expected)
    {
        NetrcEntry? entry = NetrcFile.Parse(text, "netrc").FirstOrDefault(e => e.IsFor("h", 80));
        Assert.Equal(expected, $"h:80 {entry?.Login} {entry?.Password}".TrimEnd() + (entry is null ? " " : ""));
    }

    [Theory]
    [InlineData("machine")]
    [InlineData("login a")]
    [InlineData("machine h s3cret")]
    public void ANetrcFileThatMakesNoSenseIsRefusedWithoutItsWords(string text)
    {
        ImageException e = Assert.Throws<ImageException>(() => NetrcFile.Parse(text, "netrc"));
        Assert.DoesNotContain("s3cret", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARedirectIsFollowedOnceAndRemembered()
    {
        using HttpTestServer server = new(query => query.Path == "/old" ? new HttpReply(301).With("Location", "new?a=b") : HttpReply.File(query, Content));
        using IBlockFile file = HttpFileTests.Open(server.Address + "/old");
        Assert.Equal(Content, HttpFileTests.ReadAll(file));
        Assert.Single(server.Queries, query => query.Path == "/old");
    }

    [Fact]
    public void AnAddressThatExpiredIsAskedForAgain()
    {
        int ticket = 0;
        using HttpTestServer server = new(query =>
        {
            if (query.Path == "/old")
            {
                return new HttpReply(302).With("Location", $"/new?ticket={Interlocked.Increment(ref ticket)}");
            }

            // The first ticket is good for opening only.
            return query.Target == "/new?ticket=1" && query.Method == "GET" ? new HttpReply(403) : HttpReply.File(query, Content);
        });
        using IBlockFile file = HttpFileTests.Open(server.Address + "/old", HttpFileTests.Quick with { ReadAheadChunks = 0 });
        Assert.Equal(Content, HttpFileTests.ReadAll(file));
        Assert.Equal(2, ticket);
    }

    [Fact]
    public void CertificatesAreVerified()
    {
        using TempDirectory directory = new();
        using X509Certificate2 own = Certificate("127.0.0.1");
        File.WriteAllText(directory["ca.pem"], own.ExportCertificatePem());
        using HttpTestServer server = new(query => HttpReply.File(query, Content), own);
        ImageException e = Assert.Throws<ImageException>(() => HttpFileTests.Open(server.Address + "/x"));
        Assert.Contains("the server's certificate is not one that is trusted", e.Message, StringComparison.Ordinal);
        using IBlockFile trusted = HttpFileTests.Open(server.Address + "/x", HttpFileTests.Quick with { CaFile = directory["ca.pem"] });
        Assert.Equal(Content, HttpFileTests.ReadAll(trusted));
        using IBlockFile unchecked_ = HttpFileTests.Open(server.Address + "/x", HttpFileTests.Quick with { VerifyTls = false });
        Assert.Equal(Content, HttpFileTests.ReadAll(unchecked_));
    }

    [Fact]
    public void ATrustedCertificateOfAnotherNameIsRefused()
    {
        using TempDirectory directory = new();
        using X509Certificate2 own = Certificate("127.0.0.2");
        File.WriteAllText(directory["ca.pem"], own.ExportCertificatePem());
        using HttpTestServer server = new(query => HttpReply.File(query, Content), own);
        Assert.Throws<ImageException>(() => HttpFileTests.Open(server.Address + "/x", HttpFileTests.Quick with { CaFile = directory["ca.pem"] }));
    }

    [Fact]
    public void ARedirectFromTlsToPlainTextIsNotFollowed()
    {
        using HttpTestServer plain = new(query => HttpReply.File(query, Content));
        using X509Certificate2 own = Certificate("127.0.0.1");
        using HttpTestServer server = new(_ => new HttpReply(307).With("Location", plain.Address + "/x"), own);
        ImageException e = Assert.Throws<ImageException>(() => HttpFileTests.Open(server.Address + "/x", HttpFileTests.Quick with { VerifyTls = false }));
        Assert.Contains("redirects from https to http", e.Message, StringComparison.Ordinal);
        Assert.Empty(plain.Queries);
    }

    [Theory]
    [InlineData("IMAGECLUSTER_TLS_VERIFY", "perhaps")]
    [InlineData("IMAGECLUSTER_HTTP_TIMEOUT", "0")]
    [InlineData("IMAGECLUSTER_HTTP_TIMEOUT", "x")]
    public void AWrongValueOfTheEnvironmentIsNamed(string variable, string value)
    {
        ImageException e = Assert.Throws<ImageException>(() => HttpSettings.FromEnvironment(name => name == variable ? value : null));
        Assert.Contains(variable, e.Message, StringComparison.Ordinal);
    }

    private static string Basic(string user, string password) => "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}"));

    private static X509Certificate2 Certificate(string address)
    {
        using RSA key = RSA.Create(2048);
        CertificateRequest request = new($"CN={address}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        SubjectAlternativeNameBuilder names = new();
        names.AddIpAddress(IPAddress.Parse(address));
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        using X509Certificate2 made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
