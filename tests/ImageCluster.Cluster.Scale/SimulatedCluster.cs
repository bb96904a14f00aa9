using Akka.Actor;
using Akka.Hosting;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Jobs;
using ImageCluster.Cluster.Migrations;
using ImageCluster.Cluster.Scheduling;
using ImageCluster.Cluster.Working;
using ImageCluster.Node.Configuration;
using ImageCluster.Node.Hosting;
using ImageCluster.Work.Running;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ImageCluster.Cluster.Scale;

/// <summary>
/// A coordinator as a node runs it (its actor system, its records, its journal in SQLite) and workers in the same process: the real actors with their
/// threads, but for what they do to images.
/// </summary>
internal sealed class SimulatedCluster : IAsyncDisposable
{
    private readonly string _directory;
    private readonly IHost _host;
    private readonly ActorRegistry _registry;

    private SimulatedCluster(string directory, IHost host)
    {
        (_directory, _host) = (directory, host);
        _registry = host.Services.GetRequiredService<ActorRegistry>();
    }

    public string Journal => Path.Join(_directory, "journal.db");

    public IActorRef Migrations => _registry.Get<MigrationActor>();

    public static async Task<SimulatedCluster> StartAsync()
    {
        string directory = System.IO.Directory.CreateTempSubdirectory("imagecluster-scale-").FullName;
        var options = new NodeOptions
        {
            Roles = [ImageClusterSettings.CoordinatorRole],
            Cluster = new NodeAddress("127.0.0.1", "127.0.0.1", 0),
            Journal = new JournalOptions(false, new SqliteConnectionStringBuilder { DataSource = Path.Join(directory, "journal.db"), DefaultTimeout = 30 }.ToString(), true),
            HttpListen = [],
        };
        SqliteJournal.Prepare(options.Journal!.ConnectionString);
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddAkka(ActorSetup.SystemName, (akka, _) => akka
            .AddHocon("akka.loglevel = WARNING", HoconAddMode.Prepend)
            .WithNode(options)
            .WithCoordinator(new ImageClusterSettings { Partitions = options.Partitions }, TimeProvider.System));
        IHost host = builder.Build();
        await host.StartAsync();
        var system = Akka.Cluster.Cluster.Get(host.Services.GetRequiredService<ActorSystem>());
        await system.JoinAsync(system.SelfAddress);
        return new SimulatedCluster(directory, host);
    }

    /// <summary>Workers with one slot each.</summary>
    public void AddWorkers(int workers, IShardRunner runner)
    {
        ActorSystem system = _host.Services.GetRequiredService<ActorSystem>();
        var settings = new WorkerSettings { Roots = new Dictionary<string, string> { ["kvm"] = "/nowhere" }, Slots = 1 };
        (IActorRef scheduler, IActorRef jobs, IActorRef images) = (_registry.Get<SchedulerActor>(), _registry.Get<JobActor>(), _registry.Get<ImageActor>());
        for (int worker = 0; worker < workers; worker++)
        {
            string id = $"127.0.0.1:4053/{Guid.NewGuid():n}";
            system.ActorOf(Props.Create(() => new WorkerActor(id, settings, runner, scheduler, jobs, images, TimeProvider.System)));
        }
    }

    /// <summary>Asks until somebody answers.</summary>
    public static async Task<T> AskAsync<T>(IActorRef actor, object message)
    {
        while (true)
        {
            try
            {
                object answer = await actor.Ask<object>(message, TimeSpan.FromSeconds(10));
                return answer is T t ? t : throw new InvalidOperationException($"{message} was answered by {answer}");
            }
            catch (AskTimeoutException)
            {
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _host.Services.GetRequiredService<ActorSystem>().Terminate();
        _host.Dispose();
        SqliteConnection.ClearAllPools();
        System.IO.Directory.Delete(_directory, recursive: true);
    }
}
