using System.Net;
using System.Text;
using ImageCluster.Api.Client;
using ImageCluster.Api.Documents;

namespace ImageCluster.Api.Tests.Client;

/// <summary>What the client makes of answers; against a node's own HTTP it is tested in ImageCluster.Node.Tests.</summary>
public sealed class ClusterClientTests
{
    [Fact]
    public async Task A_refusal_keeps_its_reason_line_and_details()
    {
        OperationRefusedException e = await Refused(HttpStatusCode.Conflict, "application/problem+json",
            """{"type":"urn:imagecluster:refusal:busy","title":"x","status":409,"detail":"in use by m.0.1","reason":"busy","errors":["a","b"]}""");
        Assert.Equal(RefusalReason.Busy, e.Reason);
        Assert.Equal("in use by m.0.1", e.Message);
        Assert.Equal(["a", "b"], e.Details);
    }

    [Theory]
    [InlineData(HttpStatusCode.Unauthorized, "text/html", "<html>", RefusalReason.Unauthorized, "http://node:1 wants a token, or another one")]
    [InlineData(HttpStatusCode.BadGateway, "text/html", "<html>", RefusalReason.Unavailable, "http://node:1 answers 502 Bad Gateway; is this the address of an ImageCluster node?")]
    [InlineData(HttpStatusCode.NotFound, "application/json", "{", RefusalReason.NotFound, "http://node:1 answers 404 Not Found; is this the address of an ImageCluster node?")]
    [InlineData(HttpStatusCode.InternalServerError, "text/plain", "", RefusalReason.Internal, "http://node:1 answers 500 Internal Server Error; is this the address of an ImageCluster node?")]
    public async Task What_is_no_problem_document_is_told_by_its_status(HttpStatusCode status, string type, string body, RefusalReason reason, string message)
    {
        OperationRefusedException e = await Refused(status, type, body);
        Assert.Equal(reason, e.Reason);
        Assert.Equal(message, e.Message);
    }

    [Fact]
    public async Task A_page_that_is_no_document_is_no_answer()
    {
        OperationRefusedException e = await Refused(HttpStatusCode.OK, "text/html", "<html>");
        Assert.StartsWith("http://node:1 answers what is not a WorkerList", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_is_not_there_is_named()
    {
        using var client = Client(_ => throw new HttpRequestException("outer", new IOException("Connection\nrefused")));
        OperationRefusedException e = await Assert.ThrowsAsync<OperationRefusedException>(() => client.ListWorkersAsync());
        Assert.Equal(RefusalReason.Unavailable, e.Reason);
        Assert.Equal("http://node:1 cannot be reached: Connection refused", e.Message);
    }

    [Fact]
    public async Task The_token_goes_along_and_names_are_escaped()
    {
        HttpRequestMessage? sent = null;
        using var client = Client(request =>
        {
            sent = request;
            return Answer(HttpStatusCode.OK, "application/json", """{"name":"k:a b/ü&c.qcow2"}""");
        });
        ImageDocument image = await client.GetImageAsync("k:a b/ü&c.qcow2");
        Assert.Equal("k:a b/ü&c.qcow2", image.Name);
        Assert.Equal("http://node:1/api/v1/images/one?name=k%3Aa%20b%2F%C3%BC%26c.qcow2", sent!.RequestUri!.AbsoluteUri);
        Assert.Equal("Bearer secret", sent.Headers.Authorization!.ToString());
    }

    [Fact]
    public async Task Events_may_have_names_comments_and_several_lines()
    {
        using var client = Client(_ => Answer(HttpStatusCode.OK, "text/event-stream",
            ": hello\n\nevent: migration\ndata: {\"id\":\"m\",\"name\":\"lab\",\ndata: \"state\":\"running\"}\n\n:\n\ndata:{\"id\":\"m\",\"name\":\"lab\",\"state\":\"failed\"}\r\n\r\ndata: {\"cut"));
        var states = new List<string>();
        await foreach (MigrationDocument migration in client.WatchMigrationAsync("m"))
        {
            states.Add(migration.State);
        }

        Assert.Equal(["running", "failed"], states);
    }

    private static async Task<OperationRefusedException> Refused(HttpStatusCode status, string type, string body)
    {
        using var client = Client(_ => Answer(status, type, body));
        return await Assert.ThrowsAsync<OperationRefusedException>(() => client.ListWorkersAsync());
    }

    private static HttpResponseMessage Answer(HttpStatusCode status, string type, string body) =>
        new(status) { Content = new StringContent(body, Encoding.UTF8, type) };

    private static ClusterClient Client(Func<HttpRequestMessage, HttpResponseMessage> answer) =>
        new(new HttpClient(new Handler(answer)) { BaseAddress = new Uri("http://node:1") }, "secret");

    private sealed class Handler(Func<HttpRequestMessage, HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => Task.FromResult(answer(request));
    }
}
