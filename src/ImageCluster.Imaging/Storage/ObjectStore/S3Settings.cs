using ImageCluster.Imaging.Storage.Http;

namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>Which store, as whom, and how. What the AWS tools read is read here too; nothing of it stands in a name.</summary>
public sealed record S3Settings
{
    /// <summary>The store's address; null for Amazon's in <see cref="Region"/>.</summary>
    public Uri? Endpoint { get; init; }

    public string Region { get; init; } = "us-east-1";

    /// <summary>The bucket stands in the path instead of the host's name; null chooses: with an <see cref="Endpoint"/> of its own, and for buckets with a dot.</summary>
    public bool? PathStyle { get; init; }

    /// <summary>Null asks as nobody: public objects.</summary>
    public S3Credentials? Credentials { get; init; }

    /// <summary>Bytes of a part at the least (the last may be smaller). At most 10,000 parts make an object, so large ones have larger parts.</summary>
    public int PartLength { get; init; } = 8 << 20;

    /// <summary>Parts of one object on their way at once.</summary>
    public int ParallelParts { get; init; } = 4;

    /// <summary>Where images that cannot be written in order are put together before they are uploaded; null for the system's directory for temporary files.</summary>
    public string? StagingDirectory { get; init; }

    public HttpSettings Http { get; init; } = HttpSettings.Default;

    /// <summary>
    /// As the AWS tools look: <c>AWS_ACCESS_KEY_ID</c>, <c>AWS_SECRET_ACCESS_KEY</c>, <c>AWS_SESSION_TOKEN</c>, <c>AWS_REGION</c>, <c>AWS_DEFAULT_REGION</c>,
    /// <c>AWS_ENDPOINT_URL_S3</c>, <c>AWS_ENDPOINT_URL</c>; then the profile <c>AWS_PROFILE</c> (or <c>default</c>) of <c>AWS_SHARED_CREDENTIALS_FILE</c>
    /// (<c>~/.aws/credentials</c>) and of <c>AWS_CONFIG_FILE</c> (<c>~/.aws/config</c>): keys, <c>region</c>, <c>endpoint_url</c>, <c>s3.addressing_style</c>.
    /// Ours: <c>IMAGECLUSTER_S3_ADDRESSING</c> (<c>path</c>, <c>virtual</c>), <c>IMAGECLUSTER_STAGING_DIR</c>.
    /// </summary>
    /// <param name="environment">Looks a variable up.</param>
    /// <exception cref="ImageException">A profile that is not there, or a value that cannot be used.</exception>
    public static S3Settings FromEnvironment(Func<string, string?> environment)
    {
        string? Variable(string name) => environment(name) is { Length: > 0 } value ? value : null;

        string? home = Variable("HOME");
        string? Beside(string file) => home is null ? null : Path.Join(home, ".aws", file);
        AwsProfiles keys = AwsProfiles.Read(Variable("AWS_SHARED_CREDENTIALS_FILE") ?? Beside("credentials"), Variable("AWS_SHARED_CREDENTIALS_FILE") is not null);
        AwsProfiles config = AwsProfiles.Read(Variable("AWS_CONFIG_FILE") ?? Beside("config"), Variable("AWS_CONFIG_FILE") is not null);
        string profile = Variable("AWS_PROFILE") ?? "default";
        if (Variable("AWS_PROFILE") is not null && !keys.Has(profile) && !config.Has(profile))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, null, $"AWS_PROFILE names profile '{profile}', which is in none of the profile files");
        }

        string? OfProfile(string key) => keys.Value(profile, key) ?? config.Value(profile, key);

        string? endpoint = Variable("AWS_ENDPOINT_URL_S3") ?? Variable("AWS_ENDPOINT_URL") ?? OfProfile("s3.endpoint_url") ?? OfProfile("endpoint_url");
        return new S3Settings
        {
            Credentials = Variable("AWS_ACCESS_KEY_ID") is { } own
                ? Keys(own, Variable("AWS_SECRET_ACCESS_KEY"), Variable("AWS_SESSION_TOKEN"))
                : OfProfile("aws_access_key_id") is { } stored ? Keys(stored, OfProfile("aws_secret_access_key"), OfProfile("aws_session_token")) : null,
            Region = Variable("AWS_REGION") ?? Variable("AWS_DEFAULT_REGION") ?? OfProfile("region") ?? "us-east-1",
            Endpoint = endpoint is null ? null : Address(endpoint),
            PathStyle = Style(Variable("IMAGECLUSTER_S3_ADDRESSING") ?? OfProfile("s3.addressing_style")),
            StagingDirectory = Variable("IMAGECLUSTER_STAGING_DIR"),
            Http = HttpSettings.FromEnvironment(environment),
        };
    }

    /// <summary>Where requests for a bucket go, without a slash at the end.</summary>
    internal string AddressOf(string bucket)
    {
        bool path = PathStyle ?? (Endpoint is not null || bucket.Contains('.', StringComparison.Ordinal));
        Uri endpoint = Endpoint ?? new Uri($"https://s3.{Region}.amazonaws.com");
        string root = endpoint.AbsolutePath.TrimEnd('/');
        return path
            ? $"{endpoint.Scheme}://{endpoint.Authority}{root}/{bucket}"
            : $"{endpoint.Scheme}://{bucket}.{endpoint.Authority}{root}";
    }

    private static S3Credentials Keys(string access, string? secret, string? token) => secret is not null
        ? new S3Credentials(access, secret, token)
        : throw new ImageException(ImageErrorKind.Secret, null, "There is an access key and no secret key for it (AWS_SECRET_ACCESS_KEY, or aws_secret_access_key in the profile)");

    private static Uri Address(string text) => Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https"
        && address.UserInfo.Length == 0 && address.Query.Length == 0
            ? address
            : throw new ImageException(ImageErrorKind.InvalidArgument, null, "The object store's endpoint (AWS_ENDPOINT_URL) is not an http or https address");

    private static bool? Style(string? text) => text switch
    {
        null or "auto" => null,
        "path" => true,
        "virtual" => false,
        _ => throw new ImageException(ImageErrorKind.InvalidArgument, null, $"The addressing style of the object store is '{text}', not 'path', 'virtual' or 'auto'"),
    };
}
