using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Cluster.Sharding;
using Akka.Hosting;
using ImageCluster.Cluster.Directories;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Jobs;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Migrations;
using ImageCluster.Cluster.Scheduling;
using ImageCluster.Cluster.Serialization;
using ImageCluster.Cluster.Working;
using ImageCluster.Work.Running;

namespace ImageCluster.Cluster.Hosting;

/// <summary>
/// Puts the actors of the cluster into an actor system. Remoting, clustering and the journal are the host's to set. In the registry
/// <see cref="ImageActor"/>, <see cref="JobActor"/>, <see cref="MigrationActor"/> and <see cref="DirectoryActor"/> are the keys of their regions (or of the ways
/// to them), <see cref="SchedulerActor"/> of the way to the scheduler, <see cref="WorkerActor"/> of this node's worker.
/// </summary>
public static class ImageClusterHosting
{
    /// <summary>The name of the one scheduler.</summary>
    public const string SchedulerName = "scheduler";

    /// <summary>The shard region of images.</summary>
    public const string ImageRegion = "image";

    /// <summary>The shard region of jobs.</summary>
    public const string JobRegion = "job";

    /// <summary>The shard region of migrations.</summary>
    public const string MigrationRegion = "migration";

    /// <summary>The shard region of the one directory.</summary>
    public const string DirectoryRegion = "directory";

    /// <summary>Binds the serializer of everything that is stored and sent. <see cref="WithCoordinator"/> does so too.</summary>
    public static AkkaConfigurationBuilder WithContractSerializer(this AkkaConfigurationBuilder builder) =>
        builder.WithCustomSerializer(ContractSerializer.Name, ContractSerializer.BoundTypes, system => new ContractSerializer(system));

    /// <summary>A node that keeps records and, where it is the oldest of its role, schedules.</summary>
    public static AkkaConfigurationBuilder WithCoordinator(this AkkaConfigurationBuilder builder, ImageClusterSettings settings, TimeProvider time) => builder
        .WithContractSerializer()
        .AddHocon(
            $$"""
            # A store of snapshots that failed is looked at again as soon as the journal is.
            akka.persistence.snapshot-store-plugin-fallback.circuit-breaker {
              max-failures = 10
              reset-timeout = 30s
            }
            akka.cluster.sharding {
              entity-restart-backoff = {{(long)settings.RestartAfter.TotalMilliseconds}}ms
              event-sourced-remember-entities-store.max-updates-per-write = 100
            }
            """,
            HoconAddMode.Prepend)
        .WithSingleton<SchedulerActor>(
            SchedulerName,
            (_, _, _) => Props.Create(() => new SchedulerActor(settings, time)),
            new ClusterSingletonOptions { Role = ImageClusterSettings.CoordinatorRole, TerminationMessage = StopRecord.Instance })
        .WithShardRegion<ImageActor>(
            ImageRegion,
            (_, _, _) => key => Props.Create(() => new ImageActor(key, settings, time)),
            RecordExtractor.ForImages(settings.Partitions),
            Options(remember: false))
        .WithShardRegion<DirectoryActor>(
            DirectoryRegion,
            (_, registry, _) => _ => Props.Create(() => new DirectoryActor(settings, KeepersOf(registry), time)),
            RecordExtractor.ForDirectory(),
            Options(remember: false))
        .WithShardRegion<MigrationActor>(
            MigrationRegion,
            (_, registry, _) => id => Props.Create(() => new MigrationActor(id, settings, KeepersOf(registry), time)),
            RecordExtractor.ForMigrations(settings.Partitions),
            Options(remember: true))
        .WithShardRegion<JobActor>(
            JobRegion,
            (_, registry, _) => id => Props.Create(() => new JobActor(id, settings, KeepersOf(registry), time)),
            RecordExtractor.ForJobs(settings.Partitions),
            Options(remember: true))
        .WithActors((system, _) => system.ActorOf(
            Props.Create(() => new ShardCoordinatorWatch(new[] { MigrationRegion, JobRegion }, settings.RestartAfter)), ShardCoordinatorWatch.Name));

    /// <summary>
    /// A node that reaches the records and the scheduler without keeping any: for workers that are no coordinators, and for whoever only asks.
    /// </summary>
    public static AkkaConfigurationBuilder WithRecordProxies(this AkkaConfigurationBuilder builder, ImageClusterSettings settings) => builder
        .WithContractSerializer()
        .WithSingletonProxy<SchedulerActor>(SchedulerName, new ClusterSingletonOptions { Role = ImageClusterSettings.CoordinatorRole })
        .WithShardRegionProxy<ImageActor>(ImageRegion, ImageClusterSettings.CoordinatorRole, RecordExtractor.ForImages(settings.Partitions))
        .WithShardRegionProxy<DirectoryActor>(DirectoryRegion, ImageClusterSettings.CoordinatorRole, RecordExtractor.ForDirectory())
        .WithShardRegionProxy<MigrationActor>(MigrationRegion, ImageClusterSettings.CoordinatorRole, RecordExtractor.ForMigrations(settings.Partitions))
        .WithShardRegionProxy<JobActor>(JobRegion, ImageClusterSettings.CoordinatorRole, RecordExtractor.ForJobs(settings.Partitions));

    /// <summary>
    /// A node that does shards; behind <see cref="WithCoordinator"/> or <see cref="WithRecordProxies"/>. When the node leaves the cluster its worker first hands
    /// back what it has.
    /// </summary>
    /// <param name="runner">Does the shards.</param>
    public static AkkaConfigurationBuilder WithWorker(
        this AkkaConfigurationBuilder builder, WorkerSettings settings, IShardRunner runner, TimeProvider time) => builder
        // The phase's own time would cut the handing back short.
        .AddHocon(
            $"akka.coordinated-shutdown.phases.{CoordinatedShutdown.PhaseBeforeServiceUnbind}.timeout = {(long)settings.StopTimeout.TotalMilliseconds + 1000}ms",
            HoconAddMode.Prepend)
        .WithActors((system, registry) =>
        {
            string id = $"{((ExtendedActorSystem)system).Provider.DefaultAddress.HostPort()}/{Guid.NewGuid():n}";
            IActorRef worker = system.ActorOf(
                Props.Create(() => new WorkerActor(
                    id, settings, runner, registry.Get<SchedulerActor>(), registry.Get<JobActor>(), registry.Get<ImageActor>(), time)),
                "worker");
            registry.Register<WorkerActor>(worker);
            CoordinatedShutdown.Get(system).AddTask(CoordinatedShutdown.PhaseBeforeServiceUnbind, "hand-back-shards", async () =>
            {
                try
                {
                    await worker.GracefulStop(settings.StopTimeout, StopRecord.Instance).ConfigureAwait(false);
                }
                catch (TaskCanceledException)
                {
                    // Its assignments run out by themselves.
                }

                return Akka.Done.Instance;
            });
        });

    private static ShardOptions Options(bool remember) => new()
    {
        Role = ImageClusterSettings.CoordinatorRole,
        StateStoreMode = StateStoreMode.DData,
        RememberEntities = remember,
        RememberEntitiesStore = RememberEntitiesStore.Eventsourced,
        HandOffStopMessage = StopRecord.Instance,
        // They know best when nothing hangs on them.
        ShouldPassivateIdleEntities = false,
    };

    private static RecordKeepers KeepersOf(IActorRegistry registry)
    {
        Func<IActorRef> To<TKey>() => () => registry.TryGet<TKey>(out IActorRef actor) ? actor : ActorRefs.Nobody;
        return new RecordKeepers(To<ImageActor>(), To<JobActor>(), To<MigrationActor>(), To<DirectoryActor>(), To<SchedulerActor>());
    }
}
