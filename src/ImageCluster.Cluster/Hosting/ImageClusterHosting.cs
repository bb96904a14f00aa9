using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Cluster.Sharding;
using Akka.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Scheduling;
using ImageCluster.Cluster.Serialization;

namespace ImageCluster.Cluster.Hosting;

/// <summary>Puts the actors of the cluster into an actor system. Remoting, clustering and the journal are the host's to set.</summary>
public static class ImageClusterHosting
{
    /// <summary>The name of the one scheduler.</summary>
    public const string SchedulerName = "scheduler";

    /// <summary>The shard region of images.</summary>
    public const string ImageRegion = "image";

    /// <summary>Binds the serializer of everything that is stored and sent. <see cref="WithCoordinator"/> does so too.</summary>
    public static AkkaConfigurationBuilder WithContractSerializer(this AkkaConfigurationBuilder builder) =>
        builder.WithCustomSerializer(ContractSerializer.Name, ContractSerializer.BoundTypes, system => new ContractSerializer(system));

    /// <summary>
    /// A node that keeps records and, where it is the oldest of its role, schedules. In the registry <see cref="ImageActor"/> is then the
    /// key of the images' region and <see cref="SchedulerActor"/> that of the way to the scheduler, wherever it runs.
    /// </summary>
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
            })
            .WithSingleton<SchedulerActor>(
                SchedulerName,
                (_, _, _) => Props.Create(() => new SchedulerActor(settings, time)),
                new ClusterSingletonOptions { Role = ImageClusterSettings.CoordinatorRole, TerminationMessage = StopRecord.Instance });
}
