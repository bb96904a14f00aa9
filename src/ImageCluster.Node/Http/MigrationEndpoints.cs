using ImageCluster.Api;
using ImageCluster.Api.Documents;

namespace ImageCluster.Node.Http;

/// <summary><c>/api/v1/migrations</c></summary>
internal static class MigrationEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder group = routes.MapGroup(ApiPaths.Migrations).WithTags("migrations");
        group.MapPost("", Submit).WithSummary("Submits a migration; the same by the same id again changes nothing.")
            .Accepts<MigrationSubmission>("application/json", "application/yaml").Refuses(400, 409);
        group.MapGet("", (IClusterOperations cluster, CancellationToken cancel, string? state = null, int offset = 0, int limit = ListQuery.DefaultLimit) =>
                cluster.ListMigrationsAsync(new ListQuery { State = state, Offset = offset, Limit = limit }.Checked(), cancel))
            .WithSummary("Migrations, newest first.").Refuses(400);
        group.MapGet("{id}", (string id, IClusterOperations cluster, CancellationToken cancel) => cluster.GetMigrationAsync(id, cancel))
            .WithSummary("One migration, with the images in work.").Refuses(404);
        group.MapGet("{id}/images",
                (string id, IClusterOperations cluster, CancellationToken cancel, string? state = null, int offset = 0, int limit = ListQuery.DefaultLimit) =>
                    cluster.ListMigrationImagesAsync(id, new ListQuery { State = state, Offset = offset, Limit = limit }.Checked(), cancel))
            .WithSummary("The images of a migration, by number.").Refuses(400, 404);
        group.MapGet("{id}/events", MigrationEvents.Watch)
            .WithSummary("The migration now and whenever it changes, as server-sent events, until it is over.")
            .Produces<MigrationDocument>(200, "text/event-stream").Refuses(404);
        group.MapPost("{id}/pause", Act(ActionKind.Pause)).WithSummary("Starts nothing new; what is in work is finished.").Refuses(404, 409);
        group.MapPost("{id}/resume", Act(ActionKind.Resume)).WithSummary("Goes on after a pause.").Refuses(404, 409);
        group.MapPost("{id}/cancel", Act(ActionKind.Cancel)).WithSummary("Ends it; unfinished targets are removed.").Refuses(404, 409);
        group.MapPost("{id}/retry", Act(ActionKind.Retry)).WithSummary("Tries images again that failed or were cancelled.").Refuses(404, 409);
    }

    // A manifest as it is (curl --data-binary @migration.yaml), or in a document with what goes with it.
    private static async Task<MigrationDocument> Submit(HttpRequest request, IClusterOperations cluster, CancellationToken cancel, string? id = null)
    {
        MigrationSubmission submission;
        if (request.HasJsonContentType())
        {
            submission = await request.ReadFromJsonAsync<MigrationSubmission>(cancel) ?? throw new OperationRefusedException(RefusalReason.Invalid, "the body is null");
            submission = id is null ? submission : submission with { Id = id };
        }
        else if (request.ContentType?.Split(';')[0].Trim() is "application/yaml" or "application/x-yaml" or "text/yaml")
        {
            using var reader = new StreamReader(request.Body);
            submission = new MigrationSubmission { Id = id, Manifest = await reader.ReadToEndAsync(cancel) };
        }
        else
        {
            throw new OperationRefusedException(RefusalReason.Invalid, "the body is neither application/json nor application/yaml");
        }

        return await cluster.SubmitMigrationAsync(submission with { By = submission.By ?? Endpoints.By }, cancel);
    }

    private static Func<string, ActionRequest?, IClusterOperations, CancellationToken, Task<MigrationDocument>> Act(ActionKind action) =>
        (id, request, cluster, cancel) => cluster.ActOnMigrationAsync(id, action, new ActionRequest(request?.By ?? Endpoints.By), cancel);
}
