using Akka.Actor;

namespace ImageCluster.Cluster.Hosting;

/// <summary>
/// Ways to the actors that keep records, and to the scheduler. Asked for anew each time: a record that is remembered can start before the
/// regions of others are there, and what is sent meanwhile goes nowhere and is repeated.
/// </summary>
public sealed record RecordKeepers(
    Func<IActorRef> Images, Func<IActorRef> Jobs, Func<IActorRef> Migrations, Func<IActorRef> Directory, Func<IActorRef> Scheduler);
