using Akka.Actor;
using Akka.Cluster;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Node.Configuration;

namespace ImageCluster.Node.Hosting;

/// <summary>
/// Ends a node that has no part in a cluster any more and has not noticed: a leader that removed itself together with the others (where reachability changes
/// all the time Akka's does; its regions and singletons have ended by then, but whoever wants to join is answered, and it comes up again with them, hollow), a worker that is left without any coordinator, actors or a process that do not come to
/// an end. Half alive it does nobody any good, and no supervisor starts it anew. On a thread of its own, since what holds the end up may have all others.
/// </summary>
internal sealed class GivenUpWatch(NodeOptions options, IServiceProvider services, ILogger<GivenUpWatch> log) : IHostedService
{
    /// <summary>The exit code that Akka ends such a node with.</summary>
    private const int GivenUp = 255;

    /// <summary>A node that is shutting down by itself begins sooner.</summary>
    private static readonly TimeSpan NoticeAfter = TimeSpan.FromSeconds(15);

    /// <summary>What actors and host take at most to end, besides what they may by the options.</summary>
    private static readonly TimeSpan Reserve = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    // Handlers of the process's end may wait for what does not come.
    private static readonly TimeSpan ExitPatience = TimeSpan.FromSeconds(10);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (services.GetService<ActorSystem>() is { } system)
        {
            new Thread(() =>
            {
                Wait(system, NoticeAfter, TimeProvider.System);
                if (!system.WhenTerminated.IsCompleted)
                {
                    log.LogError("This node has no part in the cluster any more; it ends, to be started anew");
                    _ = CoordinatedShutdown.Get(system).Run(CoordinatedShutdown.ClusterDowningReason.Instance);
                }

                Thread.Sleep(options.ShutdownTimeout + Reserve);
                End();
            })
            { IsBackground = true, Name = "given-up-watch" }.Start();
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Returns when the node has had no part in a cluster for so long, after it had one. Who was removed has none any more, whatever comes after.</summary>
    internal static void Wait(ActorSystem system, TimeSpan patience, TimeProvider time)
    {
        var cluster = Akka.Cluster.Cluster.Get(system);
        bool wasMember = false;
        bool wasRemoved = false;
        cluster.RegisterOnMemberRemoved(() => Volatile.Write(ref wasRemoved, true));
        long? since = null;
        while (since is null || time.GetElapsedTime(since.Value) < patience)
        {
            since = HasPart(system, cluster, ref wasMember) && !Volatile.Read(ref wasRemoved) ? null : since ?? time.GetTimestamp();
            Thread.Sleep(Look);
        }
    }

    private static bool HasPart(ActorSystem system, Akka.Cluster.Cluster cluster, ref bool wasMember)
    {
        if (system.WhenTerminated.IsCompleted || cluster.IsTerminated)
        {
            return false;
        }

        MemberStatus status = cluster.SelfMember.Status;
        wasMember |= status == MemberStatus.Up;
        return !wasMember ||
            (status is not (MemberStatus.Down or MemberStatus.Removed) && cluster.State.Members.Any(member => member.HasRole(ImageClusterSettings.CoordinatorRole)));
    }

    private void End()
    {
        log.LogCritical("This node was given up and does not end by itself: the process is ended");
        new Thread(() =>
        {
            Thread.Sleep(ExitPatience);
            Environment.FailFast("The process does not end.");
        })
        { IsBackground = true }.Start();
        Environment.Exit(GivenUp);
    }
}
