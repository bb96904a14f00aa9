using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Api.Operating;
using ImageCluster.Api.Tests.Support;
using ImageCluster.Node.Tests.Support;

namespace ImageCluster.Node.Tests.Http;

public sealed class HttpApiTests
{
    [Fact]
    public async Task A_migration_is_submitted_found_and_steered_through_the_client()
    {
        await using RunningApi api = await RunningApi.Start();
        MigrationDocument submitted = await api.Client.SubmitMigrationAsync(new MigrationSubmission { Id = "m1", Manifest = "name: lab" });
        Assert.Equal(("m1", "planning", "api", FakeCluster.Then), (submitted.Id, submitted.State, submitted.SubmittedBy, submitted.SubmittedAt));
        Assert.Equal("m1", (await api.Client.SubmitMigrationAsync(new MigrationSubmission { Id = "m1", Manifest = "name: lab" })).Id);
        Assert.Equal("m1", Assert.Single((await api.Client.ListMigrationsAsync(new ListQuery { State = "active" })).Items).Id);
        Assert.Equal("paused", (await api.Client.ActOnMigrationAsync("m1", ActionKind.Pause, new ActionRequest("ann"))).State);
        Assert.Equal("running", (await api.Client.ActOnMigrationAsync("m1", ActionKind.Resume, new ActionRequest())).State);
        Assert.Equal("cancelled", (await api.Client.ActOnMigrationAsync("m1", ActionKind.Cancel, new ActionRequest("ann"))).State);
        Assert.Equal("running", (await api.Client.ActOnMigrationAsync("m1", ActionKind.Retry, new ActionRequest("ann"))).State);
        Assert.Equal(
            ["submit m1 by api", "submit m1 by api", "Pause migration m1 by ann", "Resume migration m1 by api", "Cancel migration m1 by ann", "Retry migration m1 by ann"],
            api.Cluster.Calls);
    }

    [Fact]
    public async Task A_manifest_can_be_posted_as_it_is_and_an_action_without_a_body()
    {
        await using RunningApi api = await RunningApi.Start();
        using HttpResponseMessage submitted = await api.Http.PostAsync("/api/v1/migrations?id=m2", new StringContent("name: lab", Encoding.UTF8, "application/yaml"));
        Assert.Equal(HttpStatusCode.OK, submitted.StatusCode);
        using HttpResponseMessage paused = await api.Http.PostAsync("/api/v1/migrations/m2/pause", null);
        Assert.Equal("paused", JsonNode.Parse(await paused.Content.ReadAsStringAsync())!["state"]!.ToString());
    }

    [Fact]
    public async Task Jobs_images_workers_and_the_queue_come_through_whole()
    {
        await using RunningApi api = await RunningApi.Start();
        var spec = new ConvertSpecDocument { Source = "v:a.vmdk", Target = "k:a.qcow2", TargetFormat = "qcow2", Options = new Dictionary<string, string> { ["cluster_size"] = "64k" } };
        JobDocument job = await api.Client.SubmitJobAsync(new JobSubmission { Id = "j1", Spec = spec, Priority = 70 });
        Assert.Equal("64k", ((ConvertSpecDocument)job.Spec!).Options!["cluster_size"]);
        Assert.Equal(70, (await api.Client.GetJobAsync("j1")).Priority);
        Assert.Equal("paused", (await api.Client.ActOnJobAsync("j1", ActionKind.Pause, new ActionRequest())).State);
        Assert.Empty((await api.Client.ListJobsAsync(new ListQuery { Migration = "other" })).Items);
        Assert.Equal("j1", Assert.Single((await api.Client.ListJobsAsync(new ListQuery())).Items).Id);

        api.Cluster.Images["k:dir/a b&c.qcow2"] = new ImageDocument { Name = "k:dir/a b&c.qcow2", Users = [new(41, "j1", "fill", true, 29.5, null, null)] };
        Assert.Equal(29.5, (await api.Client.GetImageAsync("k:dir/a b&c.qcow2")).Users[0].SecondsLeft);
        Assert.Single((await api.Client.ListImagesAsync(new ListQuery())).Items);
        ImageDocument released = await api.Client.ReleaseImageAsync("k:dir/a b&c.qcow2", new ReleaseRequest { Token = 41, Reason = "gone", By = "ann" });
        Assert.Equal("gone", released.Users[0].Released);
        api.Cluster.Images["k:base"] = new ImageDocument { Name = "k:base", Dependents = ["k:a", "k:b"] };
        ImageDocument left = await api.Client.ForgetDependentAsync("k:base", new ForgetDependentRequest { Dependent = "k:a", Reason = "deleted", By = "ann" });
        Assert.Equal(["k:b"], left.Dependents);

        api.Cluster.Workers.Add(new WorkerDocument { Id = "w/1", Roots = ["k"], Slots = 2 });
        api.Cluster.Queue = new QueueDocument(1, 2, 3, 4, 5);
        Assert.Equal(["k"], (await api.Client.ListWorkersAsync()).Items[0].Roots);
        Assert.Equal(api.Cluster.Queue, await api.Client.GetQueueAsync());
    }

    [Fact]
    public async Task A_long_list_comes_in_parts()
    {
        await using RunningApi api = await RunningApi.Start();
        api.Cluster.MigrationImages["m"] = [.. Enumerable.Range(0, 25).Select(i => new MigrationImageDocument { Index = i, Source = $"v:{i}", State = "waiting" })];
        MigrationImageList part = await api.Client.ListMigrationImagesAsync("m", new ListQuery { Offset = 20, Limit = 10 });
        Assert.Equal(25, part.Total);
        Assert.Equal([20, 21, 22, 23, 24], part.Items.Select(image => image.Index));
    }

    [Theory]
    [InlineData("GET", "/api/v1/migrations/none", null, 404, "notFound", "there is no migration none")]
    [InlineData("GET", "/api/v1/migrations/none/events", null, 404, "notFound", "there is no migration none")]
    [InlineData("GET", "/api/v1/migrations?limit=0", null, 400, "invalid", "'limit' is 0; it is from 1 to 1000")]
    [InlineData("GET", "/api/v1/migrations?limit=many", null, 400, "invalid", "limit")]
    [InlineData("GET", "/api/v1/nothing", null, 404, "notFound", "there is nothing at /api/v1/nothing")]
    [InlineData("DELETE", "/api/v1/workers", null, 405, "invalid", "DELETE is not what /api/v1/workers does")]
    [InlineData("GET", "/api/v1/images/one", null, 400, "invalid", "name")]
    [InlineData("POST", "/api/v1/migrations", "{", 400, "invalid", "")]
    [InlineData("POST", "/api/v1/migrations", "{}", 400, "invalid", "manifest")]
    [InlineData("POST", "/api/v1/migrations", "{\"manifest\":\"x\",\"prioritty\":1}", 400, "invalid", "prioritty")]
    [InlineData("POST", "/api/v1/jobs", "{\"spec\":{\"operation\":\"shrink\"}}", 400, "invalid", "shrink")]
    [InlineData("POST", "/api/v1/images/release?name=k:a", "{\"token\":\"x\",\"reason\":\"y\"}", 400, "invalid", "token")]
    [InlineData("POST", "/api/v1/migrations/none/pause", "{\"by\":\"ann\"}", 404, "notFound", "there is no migration none")]
    public async Task What_is_refused_is_a_problem_document(string method, string path, string? body, int status, string reason, string detail)
    {
        await using RunningApi api = await RunningApi.Start();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await api.Http.SendAsync(request);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        JsonNode problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal(reason, problem["reason"]!.ToString());
        Assert.Equal($"urn:imagecluster:refusal:{reason}", problem["type"]!.ToString());
        Assert.Equal(status, (int)problem["status"]!);
        Assert.Contains(detail, problem["detail"]!.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain('\n', problem["detail"]!.ToString());
    }

    [Fact]
    public async Task Everything_that_is_wrong_in_a_manifest_comes_back()
    {
        await using RunningApi api = await RunningApi.Start();
        OperationRefusedException e = await Assert.ThrowsAsync<OperationRefusedException>(() => api.Client.SubmitMigrationAsync(new MigrationSubmission { Manifest = "bad" }));
        Assert.Equal(RefusalReason.Invalid, e.Reason);
        Assert.Equal(["manifest:1:1: bad", "manifest:2:1: worse"], e.Details);
    }

    [Fact]
    public async Task A_defect_is_not_told_to_the_client_and_a_cluster_that_is_away_is()
    {
        await using RunningApi api = await RunningApi.Start();
        api.Cluster.Trouble = new InvalidOperationException("secret");
        OperationRefusedException defect = await Assert.ThrowsAsync<OperationRefusedException>(() => api.Client.ListWorkersAsync());
        Assert.Equal((RefusalReason.Internal, "the node made a mistake; its log says more"), (defect.Reason, defect.Message));
        api.Cluster.Trouble = new OperationRefusedException(RefusalReason.Unavailable, "no coordinator answers");
        OperationRefusedException away = await Assert.ThrowsAsync<OperationRefusedException>(() => api.Client.ListWorkersAsync());
        Assert.Equal((RefusalReason.Unavailable, "no coordinator answers"), (away.Reason, away.Message));
    }

    [Fact]
    public async Task Who_asks_again_gets_the_body_only_where_it_has_changed()
    {
        await using RunningApi api = await RunningApi.Start();
        await api.Client.SubmitMigrationAsync(new MigrationSubmission { Id = "m", Manifest = "x" });
        using HttpResponseMessage first = await api.Http.GetAsync("/api/v1/migrations/m");
        EntityTagHeaderValue tag = first.Headers.ETag!;
        using HttpResponseMessage again = await Conditional(api, tag);
        Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
        Assert.Equal("", await again.Content.ReadAsStringAsync());
        await api.Client.ActOnMigrationAsync("m", ActionKind.Pause, new ActionRequest());
        using HttpResponseMessage changed = await Conditional(api, tag);
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        Assert.NotEqual(tag, changed.Headers.ETag);
    }

    [Fact]
    public async Task A_migration_is_watched_until_it_is_over()
    {
        await using RunningApi api = await RunningApi.Start();
        await api.Client.SubmitMigrationAsync(new MigrationSubmission { Id = "m", Manifest = "x" });
        var states = new List<string>();
        await foreach (MigrationDocument migration in api.Client.WatchMigrationAsync("m"))
        {
            states.Add(migration.State);
            switch (migration.State)
            {
                case "planning":
                    api.Cluster.Migrations["m"] = migration with { State = "running" };
                    break;
                case "running":
                    // The cluster is away for a moment, which does not end it.
                    api.Cluster.Trouble = new OperationRefusedException(RefusalReason.Unavailable, "away");
                    api.Cluster.Migrations["m"] = migration with { State = "succeeded" };
                    _ = Task.Delay(TimeSpan.FromSeconds(2)).ContinueWith(_ => api.Cluster.Trouble = null, TaskScheduler.Default);
                    break;
            }
        }

        Assert.Equal(["planning", "running", "succeeded"], states);
    }

    [Fact]
    public async Task An_operators_command_answers_with_its_text()
    {
        using var manifests = new Testing.Storage.TempDirectory();
        File.WriteAllText(manifests["lab.yaml"], "name: lab");
        await using RunningApi api = await RunningApi.Start(manifests: manifests.Path);
        OperatorAnswer submitted = await Operate(api, "migration", "submit", ("-f", "lab.yaml"), ("-i", "m"));
        Assert.True(submitted.Succeeded, submitted.Text);
        Assert.StartsWith("submitted as m\n", submitted.Text, StringComparison.Ordinal);
        Assert.Equal("not found: there is no manifest 'other.yaml'", (await Operate(api, "migration", "submit", ("-f", "other.yaml"))).Text);
        foreach (string outside in new[] { "../x", "/etc/passwd", ".hidden", "" })
        {
            Assert.StartsWith("invalid: ", (await Operate(api, "migration", "submit", ("-f", outside))).Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_OpenApi_document_names_every_endpoint_and_its_documents()
    {
        await using RunningApi api = await RunningApi.Start();
        JsonNode document = JsonNode.Parse(await api.Http.GetStringAsync("/openapi/v1.json"))!;
        string[] paths = [.. document["paths"]!.AsObject().Select(path => path.Key)];
        foreach (string path in new[]
        {
            "/api/v1/migrations", "/api/v1/migrations/{id}", "/api/v1/migrations/{id}/images", "/api/v1/migrations/{id}/events", "/api/v1/migrations/{id}/pause",
            "/api/v1/jobs", "/api/v1/jobs/{id}", "/api/v1/jobs/{id}/cancel", "/api/v1/images", "/api/v1/images/one", "/api/v1/images/release", "/api/v1/workers",
            "/api/v1/queue", "/api/v1/operator",
        })
        {
            Assert.Contains(path, paths);
        }

        JsonObject schemas = document["components"]!["schemas"]!.AsObject();
        Assert.Contains("MigrationDocument", schemas.Select(schema => schema.Key));
        Assert.Contains("ProblemDocument", schemas.Select(schema => schema.Key));
        Assert.Equal("bearer", document["components"]!["securitySchemes"]!["token"]!["scheme"]!.ToString());
    }

    private static Task<HttpResponseMessage> Conditional(RunningApi api, EntityTagHeaderValue tag)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/migrations/m");
        request.Headers.IfNoneMatch.Add(tag);
        return api.Http.SendAsync(request);
    }

    private static Task<OperatorAnswer> Operate(RunningApi api, string palette, string command, params (string Key, string Value)[] arguments) =>
        api.Client.OperateAsync(new OperatorRequest { Palette = palette, Command = command, Arguments = arguments.ToDictionary(pair => pair.Key, pair => pair.Value) });
}
