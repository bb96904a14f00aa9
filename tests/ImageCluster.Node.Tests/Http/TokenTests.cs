using System.Net;
using System.Net.Http.Headers;
using ImageCluster.Node.Tests.Support;

namespace ImageCluster.Node.Tests.Http;

public sealed class TokenTests
{
    private const string Token = "0123456789abcdef";

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("Bearer 0123456789abcdeF")]
    [InlineData("Bearer 0123456789abcdef0")]
    [InlineData("Basic 0123456789abcdef")]
    public async Task Nobody_gets_in_without_it(string? header)
    {
        await using RunningApi api = await RunningApi.Start(Token);
        foreach (string path in new[] { "/api/v1/workers", "/metrics", "/openapi/v1.json", "/health/livex", "/nothing" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.TryAddWithoutValidation("Authorization", header);
            using HttpResponseMessage response = await api.Http.SendAsync(request);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Equal("Bearer", response.Headers.WwwAuthenticate.Single().Scheme);
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        }
    }

    [Theory]
    [InlineData(null, null, HttpStatusCode.OK)]
    [InlineData("localhost:8080", null, HttpStatusCode.OK)]
    [InlineData("[::1]", null, HttpStatusCode.OK)]
    [InlineData("localhost:8080", "http://localhost:8080", HttpStatusCode.OK)]
    [InlineData("attacker.example", null, HttpStatusCode.Forbidden)]
    [InlineData("attacker.example", "http://attacker.example", HttpStatusCode.Forbidden)]
    [InlineData("localhost:8080", "http://attacker.example", HttpStatusCode.Forbidden)]
    [InlineData("localhost:8080", "null", HttpStatusCode.Forbidden)]
    public async Task Without_one_no_web_page_gets_in(string? host, string? origin, HttpStatusCode expected)
    {
        await using RunningApi api = await RunningApi.Start();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/workers");
        request.Headers.Host = host;
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        Assert.Equal(expected, (await api.Http.SendAsync(request)).StatusCode);
    }

    [Fact]
    public async Task Who_has_it_gets_in_and_health_is_for_everybody()
    {
        await using RunningApi api = await RunningApi.Start(Token);
        Assert.Empty((await api.Client.ListWorkersAsync()).Items);
        Assert.Equal(HttpStatusCode.OK, (await api.Http.GetAsync("/health/live")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await api.Http.GetAsync("/health/ready")).StatusCode);
        api.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("bearer", Token);
        Assert.Equal(HttpStatusCode.OK, (await api.Http.GetAsync("/metrics")).StatusCode);
    }
}
