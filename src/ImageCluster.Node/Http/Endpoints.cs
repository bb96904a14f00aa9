using ImageCluster.Api.Documents;

namespace ImageCluster.Node.Http;

/// <summary>What the endpoints share.</summary>
internal static class Endpoints
{
    /// <summary>Who asked, where nobody says.</summary>
    public const string By = "api";

    /// <summary>The refusals that an endpoint has, for the OpenAPI document; every endpoint can refuse a token, and the cluster can be away.</summary>
    public static RouteHandlerBuilder Refuses(this RouteHandlerBuilder endpoint, params int[] statuses)
    {
        foreach (int status in statuses.Append(401).Append(503))
        {
            endpoint.Produces<ProblemDocument>(status, ProblemDocument.ContentType);
        }

        return endpoint;
    }
}
