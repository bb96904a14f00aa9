using Akka.Actor;

namespace ImageCluster.Cluster.Messages;

/// <summary>A message of an actor's timer to itself: it neither leaves the process nor keeps a record from being idle.</summary>
internal abstract class Tick<T> : INotInfluenceReceiveTimeout, INoSerializationVerificationNeeded
    where T : Tick<T>, new()
{
    public static T Instance { get; } = new();
}
