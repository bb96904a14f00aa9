using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ImageCluster.Api.Documents;
using ImageCluster.Api.Operating;

namespace ImageCluster.Api.Client;

/// <summary>Asks a node's HTTP API. Thread-safe.</summary>
public sealed class ClusterClient : IClusterOperations, IDisposable
{
    /// <summary>A request that takes longer is given up; an operation may ask many records.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly HttpClient _http;

    /// <param name="url">Of a node: <c>http://host:8080</c>.</param>
    /// <param name="token">What the API wants as a bearer token; null for none.</param>
    public ClusterClient(Uri url, string? token)
        : this(new HttpClient { BaseAddress = url }, token)
    {
    }

    /// <param name="http">With its base address; this client disposes of it.</param>
    public ClusterClient(HttpClient http, string? token)
    {
        _http = http;
        _http.Timeout = Timeout.InfiniteTimeSpan;
        if (token is not null)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
    }

    public void Dispose() => _http.Dispose();

    public Task<MigrationDocument> SubmitMigrationAsync(MigrationSubmission submission, CancellationToken cancel = default) =>
        PostAsync(ApiPaths.Migrations, submission, ApiJson.Default.MigrationSubmission, ApiJson.Default.MigrationDocument, cancel);

    public Task<MigrationList> ListMigrationsAsync(ListQuery query, CancellationToken cancel = default) =>
        GetAsync(ApiPaths.Migrations + Text(query), ApiJson.Default.MigrationList, cancel);

    public Task<MigrationDocument> GetMigrationAsync(string id, CancellationToken cancel = default) =>
        GetAsync(Of(ApiPaths.Migrations, id), ApiJson.Default.MigrationDocument, cancel);

    public Task<MigrationImageList> ListMigrationImagesAsync(string id, ListQuery query, CancellationToken cancel = default) =>
        GetAsync(Of(ApiPaths.Migrations, id) + "/images" + Text(query), ApiJson.Default.MigrationImageList, cancel);

    public Task<MigrationDocument> ActOnMigrationAsync(string id, ActionKind action, ActionRequest request, CancellationToken cancel = default) =>
        PostAsync($"{Of(ApiPaths.Migrations, id)}/{Word(action)}", request, ApiJson.Default.ActionRequest, ApiJson.Default.MigrationDocument, cancel);

    public Task<JobDocument> SubmitJobAsync(JobSubmission submission, CancellationToken cancel = default) =>
        PostAsync(ApiPaths.Jobs, submission, ApiJson.Default.JobSubmission, ApiJson.Default.JobDocument, cancel);

    public Task<JobList> ListJobsAsync(ListQuery query, CancellationToken cancel = default) =>
        GetAsync(ApiPaths.Jobs + Text(query), ApiJson.Default.JobList, cancel);

    public Task<JobDocument> GetJobAsync(string id, CancellationToken cancel = default) =>
        GetAsync(Of(ApiPaths.Jobs, id), ApiJson.Default.JobDocument, cancel);

    public Task<JobDocument> ActOnJobAsync(string id, ActionKind action, ActionRequest request, CancellationToken cancel = default) =>
        PostAsync($"{Of(ApiPaths.Jobs, id)}/{Word(action)}", request, ApiJson.Default.ActionRequest, ApiJson.Default.JobDocument, cancel);

    public Task<ImageList> ListImagesAsync(ListQuery query, CancellationToken cancel = default) =>
        GetAsync(ApiPaths.Images + Text(query), ApiJson.Default.ImageList, cancel);

    public Task<ImageDocument> GetImageAsync(string name, CancellationToken cancel = default) =>
        GetAsync($"{ApiPaths.Images}/one?name={Uri.EscapeDataString(name)}", ApiJson.Default.ImageDocument, cancel);

    public Task<ImageDocument> ReleaseImageAsync(string name, ReleaseRequest request, CancellationToken cancel = default) =>
        PostAsync($"{ApiPaths.Images}/release?name={Uri.EscapeDataString(name)}", request, ApiJson.Default.ReleaseRequest, ApiJson.Default.ImageDocument, cancel);

    public Task<ImageDocument> ForgetDependentAsync(string name, ForgetDependentRequest request, CancellationToken cancel = default) =>
        PostAsync($"{ApiPaths.Images}/forget-dependent?name={Uri.EscapeDataString(name)}", request, ApiJson.Default.ForgetDependentRequest, ApiJson.Default.ImageDocument, cancel);

    public Task<WorkerList> ListWorkersAsync(CancellationToken cancel = default) =>
        GetAsync(ApiPaths.Workers, ApiJson.Default.WorkerList, cancel);

    public Task<QueueDocument> GetQueueAsync(CancellationToken cancel = default) =>
        GetAsync(ApiPaths.Queue, ApiJson.Default.QueueDocument, cancel);

    /// <summary>Runs an operator's command on the node.</summary>
    public Task<OperatorAnswer> OperateAsync(OperatorRequest request, CancellationToken cancel = default) =>
        PostAsync(ApiPaths.Operator, request, ApiJson.Default.OperatorRequest, ApiJson.Default.OperatorAnswer, cancel);

    /// <summary>
    /// A migration whenever something of it has changed, as server-sent events; ends with the first that says that it is over, or where the
    /// connection does.
    /// </summary>
    public async IAsyncEnumerable<MigrationDocument> WatchMigrationAsync(string id, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Of(ApiPaths.Migrations, id) + "/events");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        using HttpResponseMessage response = await SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel).ConfigureAwait(false);
        await ThrowIfRefusedAsync(response, cancel).ConfigureAwait(false);
        using Stream stream = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
        await using ConfiguredAsyncDisposable _ = stream.ConfigureAwait(false);
        await foreach (string data in EventStream.ReadAsync(stream, cancel).ConfigureAwait(false))
        {
            yield return Read(data, ApiJson.Default.MigrationDocument);
        }
    }

    private static string Of(string path, string id) => $"{path}/{Uri.EscapeDataString(id)}";

    private static string Word(ActionKind action) => action switch
    {
        ActionKind.Pause => "pause",
        ActionKind.Resume => "resume",
        ActionKind.Cancel => "cancel",
        _ => "retry",
    };

    private static string Text(ListQuery query)
    {
        string text = $"?offset={query.Offset.ToString(CultureInfo.InvariantCulture)}&limit={query.Limit.ToString(CultureInfo.InvariantCulture)}";
        text += query.State is { } state ? $"&state={Uri.EscapeDataString(state)}" : "";
        return text + (query.Migration is { } migration ? $"&migration={Uri.EscapeDataString(migration)}" : "");
    }

    private async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> answer, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        return await AskAsync(request, answer, cancel).ConfigureAwait(false);
    }

    private async Task<TAnswer> PostAsync<T, TAnswer>(string path, T body, JsonTypeInfo<T> type, JsonTypeInfo<TAnswer> answer, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, type));
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return await AskAsync(request, answer, cancel).ConfigureAwait(false);
    }

    private async Task<T> AskAsync<T>(HttpRequestMessage request, JsonTypeInfo<T> answer, CancellationToken cancel)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(Patience);
        try
        {
            using HttpResponseMessage response = await SendAsync(request, HttpCompletionOption.ResponseContentRead, patience.Token).ConfigureAwait(false);
            await ThrowIfRefusedAsync(response, patience.Token).ConfigureAwait(false);
            return Read(await response.Content.ReadAsStringAsync(patience.Token).ConfigureAwait(false), answer);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new OperationRefusedException(RefusalReason.Unavailable, $"{Where} has not answered within {Patience.TotalSeconds:0} seconds", inner: e);
        }
    }

    private string Where => _http.BaseAddress?.GetLeftPart(UriPartial.Authority) ?? "the cluster";

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, HttpCompletionOption completion, CancellationToken cancel)
    {
        try
        {
            return await _http.SendAsync(request, completion, cancel).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            string reason = (e.InnerException ?? e).Message.ReplaceLineEndings(" ");
            throw new OperationRefusedException(RefusalReason.Unavailable, $"{Where} cannot be reached: {reason}", inner: e);
        }
    }

    private async Task ThrowIfRefusedAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        if (response.IsSuccessStatusCode)
        {
            return;
        }

        ProblemDocument? problem = null;
        if (response.Content.Headers.ContentType?.MediaType is ProblemDocument.ContentType or "application/json")
        {
            try
            {
                string text = await response.Content.ReadAsStringAsync(cancel).ConfigureAwait(false);
                problem = JsonSerializer.Deserialize(text, ApiJson.Default.ProblemDocument);
            }
            catch (JsonException)
            {
                // Not ours: a proxy's. The status says enough.
            }
        }

        RefusalReason reason = Enum.TryParse(problem?.Reason, ignoreCase: true, out RefusalReason known) ? known : ReasonOf(response.StatusCode);
        throw new OperationRefusedException(reason, problem?.Detail ?? Describe(response), problem?.Errors);
    }

    private string Describe(HttpResponseMessage response) => response.StatusCode == HttpStatusCode.Unauthorized
        ? $"{Where} wants a token, or another one"
        : $"{Where} answers {(int)response.StatusCode} {response.ReasonPhrase}; is this the address of an ImageCluster node?";

    private static RefusalReason ReasonOf(HttpStatusCode status) => status switch
    {
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => RefusalReason.Unauthorized,
        HttpStatusCode.NotFound => RefusalReason.NotFound,
        HttpStatusCode.Conflict => RefusalReason.Conflict,
        HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout => RefusalReason.Unavailable,
        >= HttpStatusCode.InternalServerError => RefusalReason.Internal,
        _ => RefusalReason.Invalid,
    };

    private T Read<T>(string text, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(text, type) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new OperationRefusedException(RefusalReason.Unavailable, $"{Where} answers what is not a {typeof(T).Name}: {e.Message}", inner: e);
        }
    }
}
