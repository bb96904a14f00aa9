using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Hosting;
using Akka.Remote.Hosting;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Scheduling;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;
using ImageCluster.Testing.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ImageCluster.Cluster.Tests.Hosting;

public class HostedClusterTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public Task A_hosted_coordinator_keeps_the_records_of_images() => OnCoordinator(async host =>
    {
        IActorRef region = await host.Services.GetRequiredService<IRequiredActor<ImageActor>>().GetAsync();
        var image = new ImageName("kvm", "a.qcow2");
        var take = new TakeUse(image, default, "job", UsePurpose.Fill, TimeSpan.FromSeconds(60), "", ImmutableList<ImageName>.Empty);
        Assert.Equal(1, (await region.Ask<UseGranted>(take, Patience)).Token);
        Assert.Equal(RefusalKind.InUse, (await region.Ask<ImageRefused>(take with { Holder = "other" }, Patience)).Refusal.Kind);
    });

    [Fact]
    public Task Its_scheduler_brings_jobs_and_workers_together() => OnCoordinator(async host =>
    {
        IActorRef scheduler = await host.Services.GetRequiredService<IRequiredActor<SchedulerActor>>().GetAsync();
        Task<GiveWork> gift = scheduler.Ask<GiveWork>(new WorkOffered("j", 50, 1, 0, ["kvm"], 0), Patience);
        scheduler.Tell(new WorkWanted("w/1", 1, ["kvm"]));
        Assert.Equal(new GiveWork("j", "w/1", 1) { Share = 1 }, await gift);
    });

    [Fact]
    public async Task A_worker_that_leaves_has_all_its_time_to_hand_back_what_it_has()
    {
        using var directory = new TempDirectory();
        await using TestNode node = await TestNode.StartAsync(directory["journal.db"], roots: new Dictionary<string, string> { ["kvm"] = "/nowhere" }, runner: new SimulatedRunner());
        Assert.True(CoordinatedShutdown.Get(node.System).Timeout(CoordinatedShutdown.PhaseBeforeServiceUnbind) > new WorkerSettings { Roots = new Dictionary<string, string>() }.StopTimeout);
    }

    private static async Task OnCoordinator(Func<IHost, Task> test)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddAkka("imagecluster", (akka, _) => akka
            .AddHocon("akka.loglevel = WARNING", HoconAddMode.Prepend)
            .WithRemoting(new RemoteOptions { HostName = "127.0.0.1", PublicHostName = "127.0.0.1", Port = 0 })
            .WithClustering(new ClusterOptions { Roles = [ImageClusterSettings.CoordinatorRole] })
            .WithCoordinator(new ImageClusterSettings(), TimeProvider.System)
            .AddStartup((system, _) => Akka.Cluster.Cluster.Get(system).Join(Akka.Cluster.Cluster.Get(system).SelfAddress)));
        using IHost host = builder.Build();
        await host.StartAsync();
        try
        {
            await test(host);
        }
        finally
        {
            await host.StopAsync();
        }
    }
}
