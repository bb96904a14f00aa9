using System.Text.Json;
using Akka.Actor;
using ImageCluster.Node.Configuration;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace ImageCluster.Node.Hosting;

/// <summary>
/// Says where a node can be reached, once it is a member that is up and counts: in its log, and in a file for whoever started it with ports that the
/// system chose.
/// </summary>
internal sealed class AddressFileWriter(NodeOptions options, IServer server, IServiceProvider services, IHostApplicationLifetime lifetime, ILogger<AddressFileWriter> log)
    : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        lifetime.ApplicationStarted.Register(() =>
        {
            if (services.GetService<ActorSystem>() is { } system)
            {
                Akka.Cluster.Cluster.Get(system).RegisterOnMemberUp(Write);
            }
            else
            {
                Write();
            }
        });
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Write()
    {
        string[] http = [.. server.Features.Get<IServerAddressesFeature>()?.Addresses ?? []];
        string cluster = services.GetService<ActorSystem>() is { } system && Akka.Cluster.Cluster.Get(system).SelfAddress is { } self ? $"{self.Host}:{self.Port}" : "";
        if (log.IsEnabled(LogLevel.Information))
        {
            log.LogInformation("This node is {Roles}; other nodes reach it at {Cluster}, its API is at {Http}",
                string.Join(" and ", options.Roles), cluster, string.Join(", ", http));
        }

        if (options.ClusterTls is { AuthorityPath: null } && log.IsEnabled(LogLevel.Warning))
        {
            log.LogWarning("Other nodes' certificates are not looked at (cluster.tls.validate): whoever reaches {Cluster} can do anything with the cluster", cluster);
        }

        if (options.ClusterTls is null && !options.IsLocal && log.IsEnabled(LogLevel.Warning))
        {
            log.LogWarning("Nodes speak in the clear (cluster.trustedNetwork): whoever reaches {Cluster} can do anything with the cluster", cluster);
        }

        if (options.AddressFile is not { } file)
        {
            return;
        }

        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            json.WriteString("cluster", cluster);
            json.WriteStartArray("http");
            foreach (string address in http)
            {
                json.WriteStringValue(address);
            }

            json.WriteEndArray();
            json.WriteNumber("process", Environment.ProcessId);
            json.WriteEndObject();
        }

        // Aside, then renamed: whoever waits for it never reads half of it.
        File.WriteAllBytes(file + ".new", text.ToArray());
        File.Move(file + ".new", file, overwrite: true);
    }
}
