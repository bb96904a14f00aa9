using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Testing;
using ImageCluster.Testing.Nbd;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage.Nbd;

/// <summary>TLS with nbdkit: the certificates are the test's own.</summary>
public sealed class NbdTlsTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public NbdTlsTests()
    {
        TestCertificates.Make(_directory["ours"]);
        TestCertificates.Make(_directory["others"]);
        Directory.CreateDirectory(_directory["nobody"]);
        File.Copy(_directory["ours/ca-cert.pem"], _directory["nobody/ca-cert.pem"]);
    }

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public void WhatIsWrittenThroughTlsIsReadThroughTls()
    {
        using NbdServer server = Serve("--tls-verify-peer");
        using IBlockFile file = NbdTestFile.Open(Url(server, "ours"), write: true);
        NbdTestFile.InParallel(8, i =>
        {
            byte[] data = new byte[100_000];
            new Random(TestSeed.Value + i).NextBytes(data);
            for (int k = 0; k < 5; k++)
            {
                long offset = ((i * 5) + k) * data.Length;
                file.Write(offset, data);
                byte[] back = new byte[data.Length];
                file.Read(offset, back);
                Assert.True(data.AsSpan().SequenceEqual(back));
            }
        });
        file.Flush();
    }

    [SkippableFact]
    public void AServerOfAnotherAuthorityIsRefused()
    {
        using NbdServer server = Serve();
        Assert.Equal("The certificate hasn't got a known issuer", Refused(Url(server, "others")));
    }

    [SkippableFact]
    public void AServerOfAnotherNameIsRefused()
    {
        using NbdServer server = Serve();
        Assert.Equal("Certificate does not match the hostname example.com", Refused(Url(server, "ours", "example.com")));
        Assert.Equal("No hostname for certificate validation", Refused(server.Url + "&tls-creds=" + _directory["ours"]));
    }

    [SkippableFact]
    public void AServerMayWantToKnowWhoWeAre()
    {
        using NbdServer server = Serve("--tls-verify-peer");
        Refused(Url(server, "nobody"));
        NbdTestFile.Open(Url(server, "ours")).Dispose();
    }

    [SkippableFact]
    public void AServerThatWantsTlsSaysSo()
    {
        using NbdServer server = Serve();
        ImageException e = Assert.Throws<ImageException>(() => NbdTestFile.Open(server.Url));
        Assert.Equal("TLS negotiation required before option 7 (go)", e.Message);
        Assert.Equal("Did you forget a valid tls-creds?", e.Hint);
    }

    [SkippableTheory]
    [InlineData("-o", "Server does not support STARTTLS")]
    [InlineData("--mask-handshake=0", "Server does not support STARTTLS")]
    [InlineData("--tls=off", "Denied by server for option 5 (starttls)")]
    public void NothingIsSaidInTheClearToAServerWithoutTls(string option, string message)
    {
        using NbdServer server = NbdServer.Kit(option, "memory", "1M");
        Assert.Equal(message, Refused(Url(server, "ours")));
    }

    [Fact]
    public void WhatComesWithTheAnswerInTheClearIsNotTakenForEncrypted()
    {
        using FakeNbdServer server = new(static p =>
        {
            p.Greet();
            p.ReceiveOption();

            // In one piece with the answer: an attacker's option reply.
            p.Send(0x0003e889045565a9UL, 5u, 1u, 0u, 0x0003e889045565a9UL, 8u, 1u, 0u);
            p.Receive(1);
        });
        Assert.Equal("Protocol error: unexpected reply to option starttls",
            Refused($"{server.Url}&tls-creds={_directory["ours"]}&tls-hostname=localhost"));
    }

    [Fact]
    public void AnUnknownIdIsNamed() =>
        Assert.Equal("No TLS credentials with id 'nobody'", Refused("nbd://127.0.0.1:1?tls-creds=nobody"));

    [Fact]
    public void MissingFilesAreNamed()
    {
        Assert.Equal($"Unable to access credentials {_directory["empty/ca-cert.pem"]}: No such file or directory",
            Assert.Throws<ImageException>(() => TlsCredentials.Load(_directory["empty"])).Message);
        File.Delete(_directory["ours/client-key.pem"]);
        Assert.Equal($"Unable to access credentials {_directory["ours/client-key.pem"]}: No such file or directory",
            Assert.Throws<ImageException>(() => TlsCredentials.Load(_directory["ours"])).Message);
        File.WriteAllText(_directory["others/client-cert.pem"], "no certificate");
        Assert.StartsWith("Unable to import certificate or key ", Assert.Throws<ImageException>(() => TlsCredentials.Load(_directory["others"])).Message, StringComparison.Ordinal);
    }

    private static string Refused(string url) => Assert.Throws<ImageException>(() => NbdTestFile.Open(url)).Message;

    private NbdServer Serve(params string[] options) =>
        NbdServer.Kit(["--tls=require", "--tls-certificates=" + _directory["ours"], .. options, "memory", "8M"]);

    private string Url(NbdServer server, string credentials, string host = "localhost") =>
        $"{server.Url}&tls-creds={_directory[credentials]}&tls-hostname={host}";
}
