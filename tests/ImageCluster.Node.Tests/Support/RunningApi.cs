using ImageCluster.Api.Client;
using ImageCluster.Api.Tests.Support;
using ImageCluster.Node.Configuration;
using ImageCluster.Node.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace ImageCluster.Node.Tests.Support;

/// <summary>A node's HTTP server over a fake cluster, on a port that the system chose.</summary>
internal sealed class RunningApi : IAsyncDisposable
{
    private readonly WebApplication _app;

    private RunningApi(WebApplication app, FakeCluster cluster, Uri url, string? token)
    {
        (_app, Cluster, Url) = (app, cluster, url);
        Http = new HttpClient { BaseAddress = url };
        Client = new ClusterClient(url, token);
    }

    public FakeCluster Cluster { get; }

    public Uri Url { get; }

    /// <summary>Without a token.</summary>
    public HttpClient Http { get; }

    /// <summary>With the token.</summary>
    public ClusterClient Client { get; }

    public static async Task<RunningApi> Start(string? token = null, string? manifests = null)
    {
        var cluster = new FakeCluster();
        WebApplication app = NodeHost.Build(
            new NodeOptions
            {
                Roles = ["coordinator", "worker"],
                Cluster = new NodeAddress("127.0.0.1", "127.0.0.1", 0),
                Journal = new JournalOptions(false, "", false),
                HttpListen = [new Uri("http://127.0.0.1:0")],
                HttpToken = token,
                ManifestDirectory = manifests,
                LogLevel = "error",
            },
            cluster);
        await app.StartAsync();
        string url = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new RunningApi(app, cluster, new Uri(url), token);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        Client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
