using System.Net;
using ImageCluster.Node.Configuration;
using ImageCluster.Node.Http;

namespace ImageCluster.Node.Hosting;

/// <summary>Where the HTTP server listens.</summary>
internal static class KestrelSetup
{
    public static void Apply(WebApplicationBuilder builder, NodeOptions options)
    {
        builder.WebHost.UseKestrelCore();
        if (options.HttpCertificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = HttpApi.MaxRequestBytes;
            foreach (Uri url in options.HttpListen)
            {
                foreach (IPAddress address in AddressesOf(url.Host))
                {
                    kestrel.Listen(address, url.Port, listen =>
                    {
                        if (url.Scheme == "https")
                        {
                            listen.UseHttps(options.HttpCertificate!.Path, options.HttpCertificate.Password);
                        }
                    });
                }
            }
        });
    }

    private static IPAddress[] AddressesOf(string host) =>
        IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) ? [address]
        : host == "localhost" ? [IPAddress.Loopback]
        : Dns.GetHostAddresses(host);
}
