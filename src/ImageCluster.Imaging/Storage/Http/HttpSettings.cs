namespace ImageCluster.Imaging.Storage.Http;

/// <summary>How remote files are asked for: patience, parallelism, memory, trust. What is secret stands in <see cref="HttpCredentials"/>.</summary>
public sealed record HttpSettings
{
    // What a connection must carry at the least, beyond its first answer: bytes a second.
    private const int SlowestRate = 64 * 1024;

    public static readonly HttpSettings Default = new();

    /// <summary>How long connecting may take.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long a request may take, and a second more for each 64 KiB of it.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a request is sent again after a failure that can pass (408, 429, 5xx, a lost connection, silence).</summary>
    public int Retries { get; init; } = 5;

    /// <summary>What is waited before the first retry; doubled for each further one, with a random part.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The most that is waited between two attempts, whatever <c>Retry-After</c> says.</summary>
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Redirects followed for one request.</summary>
    public int MaxRedirects { get; init; } = 10;

    /// <summary>False accepts any certificate (QEMU's <c>sslverify=off</c>).</summary>
    public bool VerifyTls { get; init; } = true;

    /// <summary>A file of certificates in PEM that are trusted instead of the system's; null for the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>False to ignore the proxies of the environment (<c>http_proxy</c>, <c>https_proxy</c>, <c>all_proxy</c>, <c>no_proxy</c>).</summary>
    public bool UseProxy { get; init; } = true;

    /// <summary>Bytes of one request, and the unit of the cache.</summary>
    public int ChunkLength { get; init; } = 512 * 1024;

    /// <summary>Requests under way at once for reading ahead. Above eight, so that eight are under way while one is being replaced.</summary>
    public int ReadAheadRequests { get; init; } = 10;

    /// <summary>How many chunks beyond what is being read are asked for, for a reader that reads on; 0 reads nothing ahead.</summary>
    public int ReadAheadChunks { get; init; } = 16;

    /// <summary>Chunks kept in memory for each open file.</summary>
    public int CachedChunks { get; init; } = 40;

    /// <summary>What the environment says: <c>IMAGECLUSTER_CA_FILE</c>, <c>IMAGECLUSTER_TLS_VERIFY</c> (<c>off</c>), <c>IMAGECLUSTER_HTTP_TIMEOUT</c> (seconds).</summary>
    /// <param name="environment">Looks a variable up.</param>
    /// <exception cref="ImageException">A value that cannot be used.</exception>
    public static HttpSettings FromEnvironment(Func<string, string?> environment)
    {
        HttpSettings settings = Default;
        if (environment("IMAGECLUSTER_CA_FILE") is { Length: > 0 } file)
        {
            settings = settings with { CaFile = file };
        }

        settings = settings with
        {
            VerifyTls = environment("IMAGECLUSTER_TLS_VERIFY") switch
            {
                null or "" or "on" => true,
                "off" => false,
                var other => throw Wrong("IMAGECLUSTER_TLS_VERIFY", other, "'on' or 'off'"),
            },
        };
        return environment("IMAGECLUSTER_HTTP_TIMEOUT") switch
        {
            null or "" => settings,
            var text when int.TryParse(text, out int seconds) && seconds is > 0 and <= 86400 =>
                settings with { Timeout = TimeSpan.FromSeconds(seconds), ConnectTimeout = TimeSpan.FromSeconds(seconds) },
            var text => throw Wrong("IMAGECLUSTER_HTTP_TIMEOUT", text, "a number of seconds from 1 to 86400"),
        };
    }

    /// <summary>How long a request that carries so many bytes may take.</summary>
    internal TimeSpan PatienceFor(long bytes) => Timeout + TimeSpan.FromSeconds((double)bytes / SlowestRate);

    private static ImageException Wrong(string variable, string value, string wanted) =>
        new(ImageErrorKind.InvalidArgument, null, $"The environment's {variable} is '{value}', not {wanted}");
}
