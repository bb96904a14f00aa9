using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Hosting;
using Akka.Persistence.Sql.Hosting;
using Akka.Remote.Hosting;
using ImageCluster.Cluster.Membership;
using ImageCluster.Node.Configuration;
using ImageCluster.Node.Http;
using ImageCluster.Node.Remoting;
using LinqToDB;

namespace ImageCluster.Node.Hosting;

/// <summary>Remoting, membership, split-brain resolver and journal of a node's actor system.</summary>
internal static class ActorSetup
{
    public const string SystemName = "imagecluster";

    public static AkkaConfigurationBuilder WithNode(this AkkaConfigurationBuilder akka, NodeOptions options) => akka
        .ConfigureLoggers(loggers =>
        {
            loggers.ClearLoggers();
            loggers.AddLoggerFactory();
            loggers.LogLevel = options.LogLevel == "debug" ? Akka.Event.LogLevel.DebugLevel : Akka.Event.LogLevel.InfoLevel;
        })
        .AddHocon(Settings(options), HoconAddMode.Prepend)
        .WithRemoting(new RemoteOptions
        {
            HostName = options.Cluster.Bind,
            PublicHostName = options.Cluster.Host,
            Port = options.Cluster.Port,
        })
        .WithClustering(new ClusterOptions
        {
            Roles = [.. options.Roles],
            SplitBrainResolver = SplitBrain.Resolver(options.Quorum),
        })
        .WithTls(options.ClusterTls)
        .WithJournal(options.Journal)
        // Without seeds a cluster of its own, also where the system chose the port, which no list could name.
        .AddStartup((system, _) => ClusterEntry.Enter(system, [.. options.Seeds.Select(seed => new Address(Protocol(options), SystemName, seed.Host, seed.Port))]));

    private static AkkaConfigurationBuilder WithTls(this AkkaConfigurationBuilder akka, ClusterTls? tls) =>
        tls is null ? akka : akka.AddSetup(new TlsSetup(new NodeIdentity(tls)));

    private static AkkaConfigurationBuilder WithJournal(this AkkaConfigurationBuilder akka, JournalOptions? journal) => journal is null ? akka : akka.WithSqlPersistence(
        journal.IsPostgreSql
            ? new DataOptions().UseConnectionString(ProviderName.PostgreSQL15, journal.ConnectionString)
            : SqliteJournal.Options(journal.ConnectionString),
        autoInitialize: journal.CreateTables);

    public static string Protocol(NodeOptions options) => options.ClusterTls is null ? "akka.tcp" : $"akka.{TlsTransport.Scheme}";

    private static string Settings(NodeOptions options) => $$"""
        akka {
          actor.telemetry.enabled = off
          cluster {
            split-brain-resolver.stable-after = {{Milliseconds(options.StableAfter)}}
            # Records that cannot be reached are asked for again; a node that was cut off starts anew.
            run-coordinated-shutdown-when-down = on
          }
          # The half of it; in the first a worker hands its work back.
          coordinated-shutdown.phases.cluster-sharding-shutdown-region.timeout = {{Milliseconds(options.ShutdownTimeout / 2)}}
          # Whatever manifest the API takes goes to its record, and to the worker that gathers, in one message.
          # What shards remember is read from the journal and written to it: a slow one is no reason to begin again and again.
          cluster.sharding.updating-state-timeout = 15s
          cluster.sharding.waiting-for-state-timeout = 5s
          remote.dot-netty.tcp.maximum-frame-size = {{HttpApi.MaxRequestBytes + (1 << 20)}}b
        }
        {{Journal(options.Journal)}}
        {{Tls(options)}}
        """;

    // What many records store at one time is one transaction. SQLite has one writer: others would only wait for it, and look again now and then.
    private static string Journal(JournalOptions? journal) => journal is null ? "" : $$"""
        akka.persistence.journal.sql {
          batch-size = 400
          prefer-parameters-on-multirow-insert = on
          {{(journal.IsPostgreSql ? "" : "parallelism = 1")}}
        }
        """;

    private static string Tls(NodeOptions options) => options.ClusterTls is null ? "" : $"""
        akka.remote.dot-netty.tcp.transport-class = "{typeof(TlsTransport).FullName}, {typeof(TlsTransport).Assembly.GetName().Name}"
        """;

    private static string Milliseconds(TimeSpan time) => $"{(long)time.TotalMilliseconds}ms";
}
