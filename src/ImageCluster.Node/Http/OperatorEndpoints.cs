using ImageCluster.Api;
using ImageCluster.Api.Operating;

namespace ImageCluster.Node.Http;

/// <summary><c>/api/v1/operator</c>: the commands that consoles have, with the same text as answer.</summary>
internal static class OperatorEndpoints
{
    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGroup(ApiPaths.Operator).WithTags("operator")
            .MapPost("", (OperatorRequest request, IClusterOperations cluster, ManifestDirectory manifests, CancellationToken cancel) =>
                OperatorTable.RunAsync(request.Palette, request.Command, request.Arguments, cluster, request.By ?? Endpoints.By, manifests.Reader, cancel))
            .WithSummary("Runs an operator's command (docs/operator.md). A refusal is an answer too: 'succeeded' is false.").Refuses(400);
}
