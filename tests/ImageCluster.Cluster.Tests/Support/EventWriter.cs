using Akka.Actor;
using Akka.Persistence;

namespace ImageCluster.Cluster.Tests.Support;

/// <summary>Writes events into the journal of a record, and answers each with itself.</summary>
public sealed class EventWriter : ReceivePersistentActor
{
    public EventWriter(string persistenceId)
    {
        PersistenceId = persistenceId;
        CommandAny(e =>
        {
            IActorRef sender = Sender;
            // The journal tells what it stored.
            Persist<object>(e, _ => sender.Tell(e));
        });
        RecoverAny(_ => { });
    }

    public override string PersistenceId { get; }
}
