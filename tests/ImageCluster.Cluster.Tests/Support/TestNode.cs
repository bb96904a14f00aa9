using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Cluster.Hosting.SBR;
using Akka.Hosting;
using Akka.Persistence.Sql.Hosting;
using Akka.Remote.Hosting;
using ImageCluster.Cluster.Directories;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Jobs;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Migrations;
using ImageCluster.Cluster.Scheduling;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Migrations;
using ImageCluster.Work.Running;
using LinqToDB;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ImageCluster.Cluster.Tests.Support;

/// <summary>A node of a cluster in this process: its own actor system, remoting and shard regions, a journal in an SQLite file that nodes share.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    private readonly IHost _host;

    private TestNode(IHost host)
    {
        _host = host;
        System = host.Services.GetRequiredService<ActorSystem>();
        Registry = host.Services.GetRequiredService<ActorRegistry>();
    }

    /// <summary>Everything that is waited for comes far sooner.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(120);

    public static ImageClusterSettings Fast { get; } = new()
    {
        Partitions = 10,
        Heartbeat = TimeSpan.FromMilliseconds(200),
        RetryAfter = TimeSpan.FromMilliseconds(100),
        RestartAfter = TimeSpan.FromMilliseconds(500),
        AssignmentDuration = TimeSpan.FromSeconds(5),
    };

    public ActorSystem System { get; }

    public ActorRegistry Registry { get; }

    public IActorRef Jobs => Registry.Get<JobActor>();

    public IActorRef Migrations => Registry.Get<MigrationActor>();

    public IActorRef Images => Registry.Get<ImageActor>();

    public IActorRef Directory => Registry.Get<DirectoryActor>();

    public IActorRef Scheduler => Registry.Get<SchedulerActor>();

    public static bool IsPostgreSql(string journal) => journal.StartsWith("Host=", StringComparison.Ordinal);

    /// <summary>Starts a node and waits until it is a member.</summary>
    /// <param name="journal">The SQLite file, or a connection string of PostgreSQL (which begins with its host).</param>
    /// <param name="seed">A node to join; null to be the first.</param>
    /// <param name="roots">What its worker reaches; null for a node without a worker.</param>
    /// <param name="runner">What its worker does.</param>
    public static async Task<TestNode> StartAsync(
        string journal, TestNode? seed = null, bool coordinator = true, IReadOnlyDictionary<string, string>? roots = null, IShardRunner? runner = null,
        ImageClusterSettings? settings = null, string? hocon = null, int slots = 2, SplitBrainResolverOption? resolver = null)
    {
        settings ??= Fast;
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddAkka("imagecluster", (akka, provider) =>
        {
            akka.AddHocon(
                    $$"""
                    {{hocon}}
                    akka {
                      loglevel = WARNING
                      coordinated-shutdown.run-by-actor-system-terminate = off
                      cluster.sharding.waiting-for-state-timeout = 1s
                      cluster.gossip-interval = 200ms
                      cluster.down-removal-margin = 1s
                      cluster.split-brain-resolver.stable-after = 2s
                      cluster.singleton.hand-over-retry-interval = 200ms
                      cluster.sharding.retry-interval = 500ms
                      cluster.leader-actions-interval = 200ms
                      cluster.failure-detector.acceptable-heartbeat-pause = 10s
                      remote.dot-netty.tcp.maximum-frame-size = 4 MiB
                    }
                    """,
                    HoconAddMode.Prepend)
                .WithRemoting(new RemoteOptions { HostName = "127.0.0.1", PublicHostName = "127.0.0.1", Port = 0 })
                .WithClustering(new ClusterOptions
                {
                    Roles =
                    [
                        .. coordinator ? new[] { ImageClusterSettings.CoordinatorRole } : [],
                        .. roots is null ? Array.Empty<string>() : [ImageClusterSettings.WorkerRole],
                    ],
                    SplitBrainResolver = resolver,
                })
                .WithSqlPersistence(
                    IsPostgreSql(journal) ? journal : $"Data Source={journal}", IsPostgreSql(journal) ? ProviderName.PostgreSQL15 : ProviderName.SQLiteMS, autoInitialize: true);
            akka = coordinator ? akka.WithCoordinator(settings, TimeProvider.System) : akka.WithRecordProxies(settings);
            if (roots is not null)
            {
                var worker = new WorkerSettings
                {
                    Roots = roots,
                    Slots = slots,
                    Heartbeat = TimeSpan.FromMilliseconds(200),
                    AskTimeout = TimeSpan.FromSeconds(2),
                };
                akka.WithWorker(worker, runner!, TimeProvider.System);
            }

            akka.AddStartup((system, _) =>
            {
                var cluster = Akka.Cluster.Cluster.Get(system);
                cluster.Join(seed is null ? cluster.SelfAddress : Akka.Cluster.Cluster.Get(seed.System).SelfAddress);
            });
        });
        IHost host = builder.Build();
        await host.StartAsync();
        var node = new TestNode(host);
        await Akka.Cluster.Cluster.Get(node.System).JoinAsync(
            Akka.Cluster.Cluster.Get(seed?.System ?? node.System).SelfAddress, new CancellationTokenSource(Patience).Token);
        return node;
    }

    /// <summary>Asks until somebody answers: records move, and journals fail.</summary>
    public static async Task<T> AskAsync<T>(IActorRef actor, object message)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            try
            {
                object answer = await actor.Ask<object>(message, TimeSpan.FromSeconds(3));
                return answer is T t ? t : throw new InvalidOperationException($"{message} was answered by {answer}");
            }
            catch (AskTimeoutException) when (!patience.IsCancellationRequested)
            {
            }
        }
    }

    public Task<JobDone> SubmitAsync(string id, JobSpec spec, JobSettings? settings = null) =>
        AskAsync<JobDone>(Jobs, new SubmitJob(id, default, spec, settings ?? JobSettings.Default));

    public Task<MigrationDone> SubmitMigrationAsync(string id, string manifest) =>
        AskAsync<MigrationDone>(Migrations, new SubmitMigration(id, default, "west", manifest, "ann"));

    /// <summary>Waits until there is a job, as a migration may submit it a moment later, and it is as it should be.</summary>
    public async Task<JobDescription> JobAsync(string id, Func<JobDescription, bool> isSo) =>
        (await UntilAsync(
            async () => await AskAsync<object>(Jobs, new DescribeJob(id)) switch
            {
                JobDescription job => job,
                JobRefused { Refusal.Kind: RefusalKind.Unknown } => null,
                object other => throw new InvalidOperationException($"job {id} was described by {other}"),
            },
            job => job is not null && isSo(job),
            job => job is null ? $"there is no job {id}" : $"{job.Summary.State} at {job.Summary.Stage}: {job.Summary.Reason}"))!;

    public Task<JobDescription> JobEndAsync(string id) => JobAsync(id, job => job.Summary is { HasEnded: true, Uses.IsEmpty: true });

    public Task<MigrationDescription> MigrationAsync(string id, Func<MigrationDescription, bool> isSo) =>
        UntilAsync(() => AskAsync<MigrationDescription>(Migrations, new DescribeMigration(id)), isSo, migration => migration.Overview.ToString());

    public static async Task<T> UntilAsync<T>(Func<Task<T>> look, Func<T, bool> isSo, Func<T, string> say)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            T seen = await look();
            if (isSo(seen))
            {
                return seen;
            }

            if (patience.IsCancellationRequested)
            {
                throw new TimeoutException($"In {Patience} it did not become so: {say(seen)}");
            }

            await Task.Delay(50);
        }
    }

    /// <summary>Ends it as a power cut would: nobody is told, nothing is handed over.</summary>
    public async Task KillAsync()
    {
        await System.Terminate();
        _host.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        if (!System.WhenTerminated.IsCompleted)
        {
            await KillAsync();
        }
    }
}
