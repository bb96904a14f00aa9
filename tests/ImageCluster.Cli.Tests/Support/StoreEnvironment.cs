using ImageCluster.Testing.Http;

namespace ImageCluster.Cli.Tests.Support;

/// <summary>An object store, and the environment in which this process and those that it starts find it.</summary>
internal sealed class StoreEnvironment : IDisposable
{
    private static readonly string[] Names =
    [
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONFIG_FILE", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "IMAGECLUSTER_S3_ADDRESSING", "IMAGECLUSTER_STAGING_DIR", "IMAGECLUSTER_HTTP_TIMEOUT",
    ];

    private readonly Dictionary<string, string?> _before = Names.ToDictionary(name => name, Environment.GetEnvironmentVariable);

    /// <param name="stagingDirectory">Where images are put together that are not raw.</param>
    public StoreEnvironment(string stagingDirectory)
    {
        Set("AWS_ACCESS_KEY_ID", S3TestServer.AccessKey);
        Set("AWS_SECRET_ACCESS_KEY", S3TestServer.SecretKey);
        Set("AWS_REGION", S3TestServer.Region);
        Set("AWS_ENDPOINT_URL_S3", Store.Address);
        Set("IMAGECLUSTER_STAGING_DIR", stagingDirectory);
        Array.ForEach(["AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"], name => Set(name, null));
    }

    public S3TestServer Store { get; } = new();

    public void Dispose()
    {
        foreach ((string name, string? value) in _before)
        {
            Set(name, value);
        }

        Store.Dispose();
    }

    private static void Set(string name, string? value) => Environment.SetEnvironmentVariable(name, value);
}
