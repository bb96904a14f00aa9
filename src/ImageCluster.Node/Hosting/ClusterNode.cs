using Akka.Actor;
using Akka.Hosting;
using ImageCluster.Api;
using ImageCluster.Cluster.Directories;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Jobs;
using ImageCluster.Cluster.Migrations;
using ImageCluster.Cluster.Operating;
using ImageCluster.Cluster.Scheduling;
using ImageCluster.Node.Configuration;
using ImageCluster.Node.Http;
using ImageCluster.Work.Native;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Running;
using ImageCluster.Work.Secrets;

namespace ImageCluster.Node.Hosting;

/// <summary>The actors of a node by its roles, and the operations over them.</summary>
internal static class ClusterNode
{
    public static void AddClusterNode(this IServiceCollection services, NodeOptions options)
    {
        if (options.Journal is { IsPostgreSql: false } journal)
        {
            SqliteJournal.Prepare(journal.ConnectionString);
        }

        var settings = new ImageClusterSettings
        {
            Partitions = options.Partitions,
            RootLimits = options.RootLimits,
            AssignmentDuration = options.AssignmentDuration,
            LeaseDuration = options.LeaseDuration,
            ImageWait = options.ImageWait,
            TaskTime = options.TaskTime,
            ImagesAtATime = options.ImagesAtATime,
            Retention = options.Retention,
        };
        services.AddAkka(ActorSetup.SystemName, (akka, provider) =>
        {
            akka.WithNode(options);
            _ = options.IsCoordinator
                ? akka.WithCoordinator(settings, TimeProvider.System)
                : akka.WithRecordProxies(settings);
            if (options.IsWorker)
            {
                var worker = new WorkerSettings { Roots = options.Roots, Slots = options.Slots, StopTimeout = options.ShutdownTimeout / 2 };
                var secrets = new SecretStore(options.SecretsDirectory, Environment.GetEnvironmentVariable);
                akka.WithWorker(worker, new ShardRunner(new RootMap(options.Roots, secrets: secrets)), AwakeOrAsleepTime.Instance);
            }

            AddConsole(akka, options, provider);
        });
        services.AddSingleton<IClusterOperations>(provider => new ActorOperations(() => Task.FromResult(ActorsOf(provider)), TimeProvider.System));
    }

    private static ClusterActors ActorsOf(IServiceProvider provider)
    {
        ActorRegistry registry = provider.GetRequiredService<ActorRegistry>();
        IActorRef To<TKey>() => registry.TryGet<TKey>(out IActorRef actor)
            ? actor
            : throw new OperationRefusedException(RefusalReason.Unavailable, "this node is still starting");
        return new ClusterActors(To<MigrationActor>(), To<JobActor>(), To<ImageActor>(), To<DirectoryActor>(), To<SchedulerActor>());
    }

    private static void AddConsole(AkkaConfigurationBuilder akka, NodeOptions options, IServiceProvider provider)
    {
#if PETABRIDGE_CMD
        if (options.Console is { } console)
        {
            PetabridgeCmd.OperatorConsole.WithOperatorConsole(akka, console.Bind, console.Port, provider.GetRequiredService<IClusterOperations>,
                provider.GetRequiredService<ManifestDirectory>().Reader);
        }
#else
        // This build has no console: its package could not be restored.
        _ = (akka, options, provider, typeof(ManifestDirectory));
#endif
    }
}
