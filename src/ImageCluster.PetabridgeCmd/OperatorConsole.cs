using Akka.Hosting;
using ImageCluster.Api;
using ImageCluster.Api.Operating;
using Petabridge.Cmd.Cluster;
using Petabridge.Cmd.Cluster.Sharding;
using Petabridge.Cmd.Host;

namespace ImageCluster.PetabridgeCmd;

/// <summary>Offers the operator's commands, and Petabridge.Cmd's own about the cluster, to <c>pbm</c>.</summary>
public static class OperatorConsole
{
    /// <param name="host">The address that consoles connect to.</param>
    /// <param name="port">The port there.</param>
    /// <param name="cluster">Where commands ask.</param>
    /// <param name="readManifest">See <see cref="OperatorCall"/>.</param>
    public static AkkaConfigurationBuilder WithOperatorConsole(
        this AkkaConfigurationBuilder builder, string host, int port, Func<IClusterOperations> cluster, Func<string, string>? readManifest) =>
        builder.AddPetabridgeCmd(new PetabridgeCmdOptions { Host = host, Port = port }, cmd =>
        {
            cmd.RegisterCommandPalette(ClusterCommands.Instance);
            cmd.RegisterCommandPalette(ClusterShardingCommands.Instance);
            foreach (OperatorPalette palette in OperatorTable.All)
            {
                cmd.RegisterCommandPalette(new OperatorPaletteHandler(palette, cluster, readManifest));
            }
        });
}
