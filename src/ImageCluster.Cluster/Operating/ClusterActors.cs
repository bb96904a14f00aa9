using Akka.Actor;

namespace ImageCluster.Cluster.Operating;

/// <summary>The ways to the actors that operations ask, wherever those run.</summary>
/// <param name="Migrations">The region of migrations.</param>
/// <param name="Jobs">The region of jobs.</param>
/// <param name="Images">The region of images.</param>
/// <param name="Directory">The one directory.</param>
/// <param name="Scheduler">The one scheduler.</param>
public sealed record ClusterActors(ICanTell Migrations, ICanTell Jobs, ICanTell Images, ICanTell Directory, ICanTell Scheduler);
