using System.Net;
using ImageCluster.Api;

namespace ImageCluster.Node.Http;

/// <summary>
/// Where the API is open to the machine's own users without a token: keeps out web pages, which a browser on this machine would let ask in its user's
/// name, be it under a name of their own that leads to loopback (the request then names that host) or from another site (the request then says so).
/// </summary>
internal sealed class LoopbackMiddleware(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext http)
    {
        string host = http.Request.Host.Host;
        string origin = http.Request.Headers.Origin.ToString();
        return (host.Length == 0 || IsLoopback(host)) && (origin.Length == 0 || origin == $"{http.Request.Scheme}://{http.Request.Host}")
            ? next(http)
            : ProblemMiddleware.WriteAsync(http, 403, RefusalReason.Unauthorized,
                "without a token this API answers programs of this machine only, by a name of loopback (127.0.0.1, localhost)", []);
    }

    private static bool IsLoopback(string host) =>
        host == "localhost" || (IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) && IPAddress.IsLoopback(address));
}
