using System.Net.Http.Headers;
using System.Text;

namespace ImageCluster.Imaging.Storage.Http;

/// <summary>
/// User names, passwords and tokens by host: from the environment or from a file, never from a name (other users see command lines). A
/// secret goes to the host that it is for, whatever a redirect or an image's metadata names.
/// </summary>
/// <remarks>
/// The environment: <c>IMAGECLUSTER_HTTP_HOST</c> (host, or host:port), with <c>IMAGECLUSTER_HTTP_TOKEN</c> (bearer), or <c>IMAGECLUSTER_HTTP_USER</c> and
/// <c>IMAGECLUSTER_HTTP_PASSWORD</c> (basic). The file: <c>IMAGECLUSTER_NETRC</c>, or <c>NETRC</c>, or <c>~/.netrc</c>; see <see cref="NetrcFile"/>.
/// </remarks>
public sealed class HttpCredentials
{
    public static readonly HttpCredentials None = new([], "");

    private readonly IReadOnlyList<NetrcEntry> _entries;
    private readonly string _source;

    private HttpCredentials(IReadOnlyList<NetrcEntry> entries, string source) => (_entries, _source) = (entries, source);

    /// <param name="environment">Looks a variable up.</param>
    /// <exception cref="ImageException">A file that the environment names cannot be read or taken apart, or a variable is missing beside others.</exception>
    public static HttpCredentials FromEnvironment(Func<string, string?> environment)
    {
        List<NetrcEntry> entries = [];
        string? user = environment("IMAGECLUSTER_HTTP_USER");
        string? token = environment("IMAGECLUSTER_HTTP_TOKEN");
        if (!string.IsNullOrEmpty(user) || !string.IsNullOrEmpty(token))
        {
            string host = environment("IMAGECLUSTER_HTTP_HOST") is { Length: > 0 } given
                ? given
                : throw new ImageException(ImageErrorKind.InvalidArgument, null, "IMAGECLUSTER_HTTP_HOST must say which host the credentials of the environment are for");
            entries.Add(new NetrcEntry(host, user, environment("IMAGECLUSTER_HTTP_PASSWORD"), string.IsNullOrEmpty(token) ? null : token));
        }

        string? stated = environment("IMAGECLUSTER_NETRC") is { Length: > 0 } own ? own : environment("NETRC");
        string? file = stated is { Length: > 0 } ? stated : environment("HOME") is { Length: > 0 } home ? Path.Join(home, ".netrc") : null;
        if (file is not null && (stated is { Length: > 0 } || File.Exists(file)))
        {
            entries.AddRange(NetrcFile.Read(file));
        }

        return new HttpCredentials(entries, file ?? "");
    }

    /// <summary>Credentials given by the caller for one host (<c>host</c> or <c>host:port</c>), before all others.</summary>
    public HttpCredentials With(string host, string user, string password) => new([new NetrcEntry(host, user, password, null), .. _entries], _source);

    /// <summary>The header for a request to that address; null where nothing is known for its host.</summary>
    internal AuthenticationHeaderValue? For(Uri address)
    {
        NetrcEntry? entry = _entries.FirstOrDefault(e => e.IsFor(address.Host, address.Port));
        return entry switch
        {
            null => null,
            { Token: { } token } => new AuthenticationHeaderValue("Bearer", token),
            _ => new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{entry.Login}:{entry.Password}"))),
        };
    }
}
