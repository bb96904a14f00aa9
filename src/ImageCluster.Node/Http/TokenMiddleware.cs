using System.Security.Cryptography;
using System.Text;
using ImageCluster.Api;

namespace ImageCluster.Node.Http;

/// <summary>Lets nobody in without the token (RFC 6750), except for those who ask after the node's health.</summary>
internal sealed class TokenMiddleware(RequestDelegate next, string token)
{
    private const string Scheme = "Bearer ";

    // Digests are compared, so that the time tells nothing of the token's length either.
    private readonly byte[] _digest = SHA256.HashData(Encoding.UTF8.GetBytes(token));

    public Task InvokeAsync(HttpContext http)
    {
        if (http.Request.Path == ApiPaths.Live || http.Request.Path == ApiPaths.Ready || IsRight(http.Request.Headers.Authorization.ToString()))
        {
            return next(http);
        }

        http.Response.OnStarting(() =>
        {
            http.Response.Headers.WWWAuthenticate = "Bearer realm=\"imagecluster\"";
            return Task.CompletedTask;
        });
        return ProblemMiddleware.WriteAsync(http, 401, RefusalReason.Unauthorized, "this API wants a bearer token, or another one", []);
    }

    private bool IsRight(string header) =>
        header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) &&
        CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(header[Scheme.Length..].Trim())), _digest);
}
