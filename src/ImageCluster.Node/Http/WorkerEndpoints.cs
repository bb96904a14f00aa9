using ImageCluster.Api;

namespace ImageCluster.Node.Http;

/// <summary><c>/api/v1/workers</c> and <c>/api/v1/queue</c></summary>
internal static class WorkerEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder group = routes.MapGroup("").WithTags("workers");
        group.MapGet(ApiPaths.Workers, (IClusterOperations cluster, CancellationToken cancel) => cluster.ListWorkersAsync(cancel))
            .WithSummary("Workers, their slots, and the roots that they reach.").Refuses();
        group.MapGet(ApiPaths.Queue, (IClusterOperations cluster, CancellationToken cancel) => cluster.GetQueueAsync(cancel))
            .WithSummary("What waits for workers, over all jobs.").Refuses();
    }
}
