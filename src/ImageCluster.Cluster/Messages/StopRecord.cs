using Akka.Actor;

namespace ImageCluster.Cluster.Messages;

/// <summary>
/// Tells an actor that keeps a record to stop: its shard moves to another node, or it is idle. What it is storing is stored and answered first.
/// It never leaves the process.
/// </summary>
public sealed class StopRecord : INoSerializationVerificationNeeded
{
    private StopRecord()
    {
    }

    public static StopRecord Instance { get; } = new();
}
