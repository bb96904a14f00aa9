namespace ImageCluster.Api;

/// <summary>Where the HTTP API has what.</summary>
public static class ApiPaths
{
    public const string Migrations = "/api/v1/migrations";

    public const string Jobs = "/api/v1/jobs";

    /// <summary>One image is <c>?name=root:path</c>: its path has slashes.</summary>
    public const string Images = "/api/v1/images";

    public const string Workers = "/api/v1/workers";

    public const string Queue = "/api/v1/queue";

    /// <summary>The operator's commands, as consoles have them.</summary>
    public const string Operator = "/api/v1/operator";

    public const string OpenApi = "/openapi/v1.json";

    public const string Live = "/health/live";

    public const string Ready = "/health/ready";

    public const string Metrics = "/metrics";
}
