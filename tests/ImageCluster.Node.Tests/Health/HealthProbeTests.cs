using ImageCluster.Node.Configuration;
using ImageCluster.Node.Health;
using ImageCluster.Node.Tests.Support;

namespace ImageCluster.Node.Tests.Health;

public sealed class HealthProbeTests
{
    [Fact]
    public async Task A_node_that_is_up_is_alive_and_one_that_is_not_is_named()
    {
        var errors = new StringWriter();
        Uri url;
        await using (RunningApi api = await RunningApi.Start("0123456789abcdef"))
        {
            url = api.Url;
            Assert.Equal(0, await HealthProbe.AskAsync(Listening(url), errors));
            Assert.Equal("", errors.ToString());
        }

        Assert.Equal(1, await HealthProbe.AskAsync(Listening(url), errors));
        Assert.StartsWith($"imagecluster node: {url}health/live does not answer: ", errors.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://0.0.0.0:8080", "http://127.0.0.1:8080/health/live")]
    [InlineData("https://[::]:8443", "https://[::1]:8443/health/live")]
    [InlineData("http://10.0.0.7:80", "http://10.0.0.7/health/live")]
    public void A_wildcard_is_asked_by_loopback(string listen, string expected) =>
        Assert.Equal(expected, HealthProbe.AddressOf(new Uri(listen)).AbsoluteUri);

    private static NodeOptions Listening(Uri url) => new()
    {
        Roles = ["worker"],
        Cluster = new NodeAddress("127.0.0.1", "127.0.0.1", 0),
        Journal = new JournalOptions(false, "", false),
        HttpListen = [url],
    };
}
