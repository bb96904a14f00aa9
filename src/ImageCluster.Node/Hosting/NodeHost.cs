using System.Globalization;
using Akka.Actor;
using ImageCluster.Api;
using ImageCluster.Node.Configuration;
using ImageCluster.Node.Health;
using ImageCluster.Node.Http;
using ImageCluster.Node.Measuring;
using Microsoft.Extensions.Logging.Console;
using Prometheus;

namespace ImageCluster.Node.Hosting;

/// <summary>Puts a node together: actors, HTTP API, health, metrics, logs.</summary>
public static class NodeHost
{
    /// <summary>What the host itself takes to stop, besides the actors.</summary>
    private static readonly TimeSpan StopReserve = TimeSpan.FromSeconds(30);

    public static WebApplication Build(NodeOptions options)
    {
        WebApplicationBuilder builder = Prepare(options);
        builder.Services.AddClusterNode(options);
        IHealthChecksBuilder checks = builder.Services.AddHealthChecks().AddCheck<MembershipCheck>("cluster", tags: [HealthEndpoints.Ready]);
        if (options.Journal is { } journal)
        {
            checks.AddCheck("journal", new JournalCheck(journal), tags: [HealthEndpoints.Ready]);
        }

        return Finish(builder, options);
    }

    /// <summary>The same over other operations than a cluster's, with no actors: for tests of what is around them.</summary>
    internal static WebApplication Build(NodeOptions options, IClusterOperations operations)
    {
        WebApplicationBuilder builder = Prepare(options);
        builder.Services.AddSingleton(operations);
        builder.Services.AddHealthChecks();
        return Finish(builder, options);
    }

    private static WebApplicationBuilder Prepare(NodeOptions options)
    {
        // No appsettings.json, no ASPNETCORE_ variables: a node's settings are those of docs/node.md.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "imagecluster-node" });
        builder.Services.AddRouting();
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(new ManifestDirectory(options.ManifestDirectory));
        builder.Services.AddSingleton(provider => new NodeMetrics(options, provider.GetRequiredService<IClusterOperations>(), () => Unreachable(provider)));
        builder.Services.AddHostedService<AddressFileWriter>();
        builder.Services.AddHostedService<GivenUpWatch>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.ShutdownTimeout + StopReserve);
        builder.Services.AddHttpApi();
        Log(builder.Logging, options);
        KestrelSetup.Apply(builder, options);
        return builder;
    }

    private static WebApplication Finish(WebApplicationBuilder builder, NodeOptions options)
    {
        WebApplication app = builder.Build();
        NodeMetrics metrics = app.Services.GetRequiredService<NodeMetrics>();
        app.UseHttpApi(options.HttpToken);
        app.UseRouting();
        app.UseHttpMetrics(http =>
        {
            http.InProgress.Registry = metrics.Registry;
            http.RequestCount.Registry = metrics.Registry;
            http.RequestDuration.Registry = metrics.Registry;
        });
        app.MapHealth();
        app.MapMetrics(ApiPaths.Metrics, metrics.Registry);
        app.MapHttpApi();
        return app;
    }

    private static int? Unreachable(IServiceProvider provider) => provider.GetService<ActorSystem>() is { WhenTerminated.IsCompleted: false } system
        ? Akka.Cluster.Cluster.Get(system).State.Unreachable.Count
        : null;

    private static void Log(ILoggingBuilder logging, NodeOptions options)
    {
        LogLevel level = Enum.Parse<LogLevel>(options.LogLevel, ignoreCase: true);
        logging.SetMinimumLevel(level);
        // Every step of the membership, and a line a request, are for those who look for something.
        logging.AddFilter("Akka", level > LogLevel.Debug ? LogLevel.Warning : LogLevel.Debug);
        logging.AddFilter("Microsoft.AspNetCore", level > LogLevel.Debug ? LogLevel.Warning : LogLevel.Debug);
        if (options.LogAsJson)
        {
            logging.AddJsonConsole(json =>
            {
                json.TimestampFormat = "O";
                json.UseUtcTimestamp = true;
            });
        }
        else
        {
            logging.AddSimpleConsole(text =>
            {
                text.SingleLine = true;
                text.UseUtcTimestamp = true;
                text.ColorBehavior = LoggerColorBehavior.Disabled;
                text.TimestampFormat = CultureInfo.InvariantCulture.DateTimeFormat.UniversalSortableDateTimePattern + " ";
            });
        }
    }
}
