using System.Net;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage.Http;

/// <summary>
/// A file named by an <c>http</c> or <c>https</c> address. Redirects are followed, though never from TLS to plain text; credentials go to the host that
/// they are for. Where a redirect led is remembered, so that each further request costs one round trip, until that place refuses.
/// </summary>
internal sealed class HttpAddress : IRemoteObject
{
    private readonly HttpChannel _channel;
    private readonly HttpSettings _settings;
    private readonly HttpCredentials _credentials;
    private readonly Uri _given;
    private volatile Uri _current;

    public HttpAddress(string name, HttpChannel channel, HttpSettings settings, HttpCredentials credentials)
    {
        Name = name;
        _channel = channel;
        _settings = settings;
        _credentials = credentials;
        _given = _current = Parse(name);
    }

    public string Name { get; }

    /// <summary>Takes an address apart.</summary>
    /// <exception cref="ImageException">It is none, or it carries a password.</exception>
    public static Uri Parse(string name)
    {
        string scheme = name.StartsWith("https:", StringComparison.Ordinal) ? "https" : "http";
        if (!name.StartsWith(scheme + "://", StringComparison.Ordinal))
        {
            throw Wrong(name, $"{scheme} curl driver cannot handle the URL '{name}' (does not start with '{scheme}://')");
        }

        if (!Uri.TryCreate(name, UriKind.Absolute, out Uri? address) || address.Host.Length == 0 || address.Scheme is not ("http" or "https"))
        {
            throw Wrong(name, $"'{name}' is not an address");
        }

        return address.UserInfo.Length == 0
            ? address
            : throw new ImageException(ImageErrorKind.InvalidArgument, null, "An address may not carry a user name or a password: other users see command lines")
            {
                Hint = "Put them into a netrc file (~/.netrc, or the one that IMAGECLUSTER_NETRC names) or into the environment.",
            };
    }

    public HttpAnswer Send(HttpMethod method, Action<HttpRequestMessage>? shape, long bytes, CancellationToken cancel)
    {
        Uri start = _current;
        HttpAnswer answer = Follow(start, method, shape, bytes, cancel);
        if (start != _given && answer.Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.NotFound or HttpStatusCode.Gone)
        {
            // An address that was good for some minutes (signed, say): where it came from gives a new one.
            answer.Dispose();
            return Follow(_given, method, shape, bytes, cancel);
        }

        return answer;
    }

    public Exception Refusal(HttpAnswer answer) =>
        HttpStatus.Refusal(answer, Name, $"The requested URL returned error: {(int)answer.Status}", Hint(answer.Status));

    private static string? Hint(HttpStatusCode status) => status == HttpStatusCode.Unauthorized
        ? "Credentials are read from ~/.netrc (or the file that IMAGECLUSTER_NETRC names) and from the environment."
        : null;

    private HttpAnswer Follow(Uri address, HttpMethod method, Action<HttpRequestMessage>? shape, long bytes, CancellationToken cancel)
    {
        for (int redirects = 0; ; redirects++)
        {
            HttpAnswer answer = SendTo(address, method, shape, bytes, cancel);
            if (!HttpStatus.IsRedirect(answer.Status))
            {
                _current = address;
                return answer;
            }

            using (answer)
            {
                if (redirects == _settings.MaxRedirects)
                {
                    throw Failure($"The server redirects more than {_settings.MaxRedirects} times");
                }

                address = Next(address, answer.Text("Location"));
            }
        }
    }

    private HttpAnswer SendTo(Uri address, HttpMethod method, Action<HttpRequestMessage>? shape, long bytes, CancellationToken cancel)
    {
        using HttpRequestMessage request = new(method, address) { Version = HttpVersion.Version11 };
        shape?.Invoke(request);
        request.Headers.Authorization = _credentials.For(address);
        return _channel.Send(request, Name, bytes, cancel);
    }

    private Uri Next(Uri from, string? location)
    {
        if (location is null || !Uri.TryCreate(from, location, out Uri? next) || next.Scheme is not ("http" or "https"))
        {
            throw Failure("The server redirects to what is no HTTP address");
        }

        if (from.Scheme == "https" && next.Scheme == "http")
        {
            throw Failure($"The server redirects from https to http ({next.Host}), which is not followed");
        }

        return next.UserInfo.Length == 0 ? next : throw Failure("The server redirects to an address that carries a user name");
    }

    private ImageException Failure(string what) => new(ImageErrorKind.Io, Name, what) { Errno = Errno.IO };

    private static ImageException Wrong(string name, string what) => new(ImageErrorKind.InvalidArgument, name, what);
}
