using ImageCluster.Api;
using ImageCluster.Api.Documents;

namespace ImageCluster.Node.Http;

/// <summary><c>/api/v1/images</c>. One image is named in the query, since its path has slashes.</summary>
internal static class ImageEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder group = routes.MapGroup(ApiPaths.Images).WithTags("images");
        group.MapGet("", (IClusterOperations cluster, CancellationToken cancel, int offset = 0, int limit = ListQuery.DefaultLimit) =>
                cluster.ListImagesAsync(new ListQuery { Offset = offset, Limit = limit }.Checked(), cancel))
            .WithSummary("Images that somebody uses, and who.").Refuses(400);
        group.MapGet("one", (string name, IClusterOperations cluster, CancellationToken cancel) => cluster.GetImageAsync(name, cancel))
            .WithSummary("Who uses an image (root:path), what stands on it, how far its filling is.").Refuses(400, 404);
        group.MapPost("release", (string name, ReleaseRequest request, IClusterOperations cluster, CancellationToken cancel) =>
                cluster.ReleaseImageAsync(name, request with { By = request.By ?? Endpoints.By }, cancel))
            .WithSummary("Takes a stuck lease away. It ends at its deadline, since its holder may be at work until then.").Refuses(400, 404, 409);
        group.MapPost("forget-dependent", (string name, ForgetDependentRequest request, IClusterOperations cluster, CancellationToken cancel) =>
                cluster.ForgetDependentAsync(name, request with { By = request.By ?? Endpoints.By }, cancel))
            .WithSummary("Forgets an overlay that was deleted, or given another backing file, without the cluster.").Refuses(400, 404);
    }
}
