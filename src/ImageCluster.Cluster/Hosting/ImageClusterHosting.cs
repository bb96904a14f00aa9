using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Cluster.Sharding;
using Akka.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Serialization;

namespace ImageCluster.Cluster.Hosting;

/// <summary>Puts the actors of the cluster into an actor system. Remoting, clustering and the journal are the host's to set.</summary>
public static class ImageClusterHosting
{
    /// <summary>The shard region of images.</summary>
    public const string ImageRegion = "image";

    /// <summary>Binds the serializer of everything that is stored and sent. <see cref="WithCoordinator"/> does so too.</summary>
    public static AkkaConfigurationBuilder WithContractSerializer(this AkkaConfigurationBuilder builder) =>
        builder.WithCustomSerializer(ContractSerializer.Name, ContractSerializer.BoundTypes, system => new ContractSerializer(system));

    /// <summary>A node that keeps records; <see cref="ImageActor"/> is then the key of the region in the registry.</summary>
    public static AkkaConfigurationBuilder WithCoordinator(this AkkaConfigurationBuilder builder, ImageClusterSettings settings, TimeProvider time) =>
        builder.WithContractSerializer().WithShardRegion<ImageActor>(
            ImageRegion,
            (_, _, _) => key => Props.Create(() => new ImageActor(key, settings, time)),
            new RecordExtractor(settings.Partitions),
            new ShardOptions
            {
                Role = ImageClusterSettings.CoordinatorRole,
                StateStoreMode = StateStoreMode.DData,
                HandOffStopMessage = StopRecord.Instance,
                // They know best when nothing hangs on them.
                ShouldPassivateIdleEntities = false,
            });
}
