using ImageCluster.Api;
using ImageCluster.Api.Documents;

namespace ImageCluster.Node.Http;

/// <summary><c>/api/v1/jobs</c></summary>
internal static class JobEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder group = routes.MapGroup(ApiPaths.Jobs).WithTags("jobs");
        group.MapPost("", (JobSubmission submission, IClusterOperations cluster, CancellationToken cancel) =>
                cluster.SubmitJobAsync(submission with { By = submission.By ?? Endpoints.By }, cancel))
            .WithSummary("Submits a single job; the same by the same id again changes nothing.").Refuses(400, 409);
        group.MapGet("", (IClusterOperations cluster, CancellationToken cancel, string? state = null, string? migration = null, int offset = 0,
                int limit = ListQuery.DefaultLimit) =>
                cluster.ListJobsAsync(new ListQuery { State = state, Migration = migration, Offset = offset, Limit = limit }.Checked(), cancel))
            .WithSummary("Jobs, newest first.").Refuses(400);
        group.MapGet("{id}", (string id, IClusterOperations cluster, CancellationToken cancel) => cluster.GetJobAsync(id, cancel))
            .WithSummary("One job: its step, who works on it, what went wrong.").Refuses(404);
        group.MapPost("{id}/pause", Act(ActionKind.Pause)).WithSummary("Starts nothing new; what is in work is finished.").Refuses(404, 409);
        group.MapPost("{id}/resume", Act(ActionKind.Resume)).WithSummary("Goes on after a pause.").Refuses(404, 409);
        group.MapPost("{id}/cancel", Act(ActionKind.Cancel)).WithSummary("Ends it; an unfinished target is removed.").Refuses(404, 409);
        group.MapPost("{id}/retry", Act(ActionKind.Retry)).WithSummary("Submits a job that failed or was cancelled once more, under a new id.").Refuses(404, 409);
    }

    private static Func<string, ActionRequest?, IClusterOperations, CancellationToken, Task<JobDocument>> Act(ActionKind action) =>
        (id, request, cluster, cancel) => cluster.ActOnJobAsync(id, action, new ActionRequest(request?.By ?? Endpoints.By), cancel);
}
