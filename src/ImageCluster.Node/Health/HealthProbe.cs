using System.Net;
using System.Security.Cryptography.X509Certificates;
using ImageCluster.Api;
using ImageCluster.Node.Configuration;

namespace ImageCluster.Node.Health;

/// <summary><c>--health</c>: asks the node that runs with the same settings on this machine whether it is alive, for images without a shell or curl.</summary>
internal static class HealthProbe
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    /// <summary>0 where it answers that it is.</summary>
    public static async Task<int> AskAsync(NodeOptions options, TextWriter errors)
    {
        Uri url = AddressOf(options.HttpListen[0]);
        using X509Certificate2? own = options.HttpCertificate is { } file ? X509CertificateLoader.LoadPkcs12FromFile(file.Path, file.Password) : null;
        using var handler = new SocketsHttpHandler { UseProxy = false };
        // It is made out to the node's own name, not to loopback: what counts is that it is this node's.
        handler.SslOptions.RemoteCertificateValidationCallback = (_, shown, _, _) => own is not null && shown is not null && own.RawDataMemory.Span.SequenceEqual(shown.GetRawCertData());
        using var client = new HttpClient(handler) { Timeout = Patience };
        try
        {
            using HttpResponseMessage answer = await client.GetAsync(url);
            if (answer.IsSuccessStatusCode)
            {
                return 0;
            }

            await errors.WriteLineAsync($"imagecluster node: {url} answers {(int)answer.StatusCode}");
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            await errors.WriteLineAsync($"imagecluster node: {url} does not answer: {e.Message.ReplaceLineEndings(" ")}");
        }

        return 1;
    }

    /// <summary>Where to ask a node that listens there: a wildcard is asked by loopback.</summary>
    internal static Uri AddressOf(Uri listen)
    {
        IPAddress? address = IPAddress.TryParse(listen.Host.Trim('[', ']'), out IPAddress? parsed) ? parsed : null;
        string host = Equals(address, IPAddress.Any) ? "127.0.0.1" : Equals(address, IPAddress.IPv6Any) ? "[::1]" : listen.Host;
        return new UriBuilder(listen) { Host = host, Path = ApiPaths.Live }.Uri;
    }
}
