using ImageCluster.Imaging.Storage.Native;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Imaging.Storage.Http;

/// <summary>Images on web servers, read by ranges: <c>http://</c> and <c>https://</c> (QEMU's curl driver). For reading only.</summary>
/// <param name="settings">Patience, parallelism, memory, trust; null takes them from the environment when the first file is opened.</param>
/// <param name="credentials">Who we are, by host; null likewise.</param>
public sealed class HttpProtocol(HttpSettings? settings = null, HttpCredentials? credentials = null) : StorageProtocol
{
    public override IReadOnlyList<string> Schemes => ["http", "https"];

    /// <remarks>The tuning options are taken and change nothing. Credentials, cookies and proxies are no options here: see <see cref="HttpCredentials"/>.</remarks>
    public override IReadOnlyList<string> OptionNames => ["url", "readahead", "timeout", "sslverify"];

    public override IBlockFile Open(string name, OpenMode mode, IFileLocator files)
    {
        if (mode.Write)
        {
            throw new ImageException(ImageErrorKind.Unsupported, name, "curl driver does not support writes") { Errno = Errno.Access };
        }

        HttpSettings asked = settings ?? HttpSettings.FromEnvironment(Environment.GetEnvironmentVariable);
        HttpChannel channel = new(asked);
        try
        {
            HttpAddress address = new(name, channel, asked, credentials ?? HttpCredentials.FromEnvironment(Environment.GetEnvironmentVariable));
            return new HttpFile(name, RemoteRangeReader.Open(address, asked, CancellationToken.None), asked, channel);
        }
        catch (ImageException e) when (e.Kind is not ImageErrorKind.InvalidArgument)
        {
            channel.Dispose();
            throw e.Saying($"CURL: Error opening file: {e.Message}");
        }
        catch
        {
            channel.Dispose();
            throw;
        }
    }

    /// <remarks>A query stays behind the path, as where it is a signature.</remarks>
    public override string Below(string root, string path)
    {
        int query = root.IndexOf('?');
        (root, string rest) = query < 0 ? (root, "") : (root[..query], root[query..]);
        return $"{root.TrimEnd('/')}/{string.Join('/', path.Split('/').Select(Uri.EscapeDataString))}{rest}";
    }

    public override string NameOf(string driver, IReadOnlyDictionary<string, string> options)
    {
        string url = options.GetValueOrDefault("url") ?? throw Wrong("curl block driver requires an 'url' option");
        if (!url.StartsWith(driver + "://", StringComparison.Ordinal))
        {
            throw Wrong($"{driver} curl driver cannot handle the URL '{url}' (does not start with '{driver}://')");
        }

        if (options.GetValueOrDefault("sslverify") is "off" or "no" or "false" or "n")
        {
            throw Wrong("sslverify=off is not taken from a name: set IMAGECLUSTER_TLS_VERIFY=off in the environment");
        }

        return url;
    }

    private static ImageException Wrong(string what) => new(ImageErrorKind.InvalidArgument, null, what);
}
