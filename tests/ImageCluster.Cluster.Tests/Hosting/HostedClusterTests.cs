using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Hosting;
using Akka.Remote.Hosting;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ImageCluster.Cluster.Tests.Hosting;

public class HostedClusterTests
{
    [Fact]
    public async Task A_hosted_coordinator_keeps_the_records_of_images()
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
            IActorRef region = await host.Services.GetRequiredService<IRequiredActor<ImageActor>>().GetAsync();
            var image = new ImageName("kvm", "a.qcow2");
            var reply = await region.Ask<ImageReply>(
                new TakeUse(image, default, "job", UsePurpose.Fill, TimeSpan.FromSeconds(60), "", ImmutableList<ImageName>.Empty), TimeSpan.FromSeconds(30));
            Assert.Equal(1, Assert.IsType<UseGranted>(reply).Token);
        }
        finally
        {
            await host.StopAsync();
        }
    }
}
