using System.Collections.Immutable;

namespace ImageCluster.Cluster.Messages;

/// <summary>Asks the scheduler what it knows; answered by <see cref="QueueDescription"/>.</summary>
public sealed record DescribeQueue;

/// <summary>What waits for workers and who they are, as the scheduler heard last.</summary>
/// <param name="Workers">By id.</param>
/// <param name="Jobs">Jobs that have something to give out or in work.</param>
/// <param name="Waiting">Tasks that could be given out now.</param>
/// <param name="InWork">Tasks that workers have.</param>
public sealed record QueueDescription(ImmutableList<WorkerDescription> Workers, int Jobs, long Waiting, long InWork);

/// <summary>A worker as the scheduler knows it.</summary>
/// <param name="Address">Of its node: <c>host:port</c>.</param>
/// <param name="Slots">Tasks at a time.</param>
/// <param name="Roots">Names of the roots that it reaches.</param>
public sealed record WorkerDescription(string Worker, string Address, int Slots, int FreeSlots, ImmutableSortedSet<string> Roots);
