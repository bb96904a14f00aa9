using System.Collections.Immutable;
using Akka.Actor;
using Akka.Persistence;

namespace ImageCluster.Cluster.Tests.Support;

/// <summary>
/// A journal that stores in memory what it was given as bytes and read back, and that delays or refuses writes when it is told to.
/// </summary>
public sealed class FaultyJournal : ReceiveActor
{
    public const string PluginId = "test.journal";

    public const string Config = $$"""
        akka.persistence.journal.plugin = "{{PluginId}}"
        {{PluginId}} {
          class = "ImageCluster.Cluster.Tests.Support.FaultyJournal, ImageCluster.Cluster.Tests"
          plugin-dispatcher = "akka.actor.default-dispatcher"
        }
        {{FaultySnapshots.Config}}
        """;

    private readonly IActorRef _store = Persistence.Instance.Apply(Context.System).JournalFor("akka.persistence.journal.inmem");
    private readonly List<WriteMessages> _held = [];
    private Mode _mode = Mode.Pass;

    public FaultyJournal()
    {
        Receive<Switch>(Enter);
        Receive<WriteMessages>(Write);
        Receive<DeleteMessagesTo>(delete =>
        {
            if (_mode == Mode.Fail)
            {
                delete.PersistentActor.Tell(new DeleteMessagesFailure(new IOException("the journal is down"), delete.ToSequenceNr));
            }
            else
            {
                _store.Forward(delete);
            }
        });
        ReceiveAny(message => _store.Forward(message));
    }

    public enum Mode
    {
        /// <summary>Writes what comes, and what was held.</summary>
        Pass,

        /// <summary>Holds writes back.</summary>
        Hold,

        /// <summary>Fails writes, also those that are held.</summary>
        Fail,

        /// <summary>Writes what comes under a version that nobody knows yet.</summary>
        Newer,
    }

    /// <summary>Returns when the journal of the system is in that mode.</summary>
    public static Task Set(ActorSystem system, Mode mode) =>
        Persistence.Instance.Apply(system).JournalFor(PluginId).Ask<Switch>(new Switch(mode), TimeSpan.FromSeconds(10));

    /// <summary>As <see cref="Set"/>, for the snapshots.</summary>
    public static Task SetSnapshots(ActorSystem system, Mode mode) =>
        Persistence.Instance.Apply(system).SnapshotStoreFor(FaultySnapshots.PluginId).Ask<Switch>(new Switch(mode), TimeSpan.FromSeconds(10));

    /// <summary>How many snapshots there are of a record.</summary>
    public static async Task<int> CountSnapshots(ActorSystem system, string persistenceId) =>
        (await Persistence.Instance.Apply(system).SnapshotStoreFor(FaultySnapshots.PluginId).Ask<Count>(new Count(persistenceId, 0), TimeSpan.FromSeconds(10))).Snapshots;

    private void Enter(Switch to)
    {
        _mode = to.Mode;
        if (_mode != Mode.Hold)
        {
            _held.ForEach(Write);
            _held.Clear();
        }

        Sender.Tell(to);
    }

    private void Write(WriteMessages write)
    {
        switch (_mode)
        {
            case Mode.Hold:
                _held.Add(write);
                break;
            case Mode.Fail:
                var cause = new IOException("the journal is down");
                write.PersistentActor.Tell(new WriteMessagesFailed(cause, write.Messages.Count()));
                foreach (IPersistentRepresentation e in write.Messages.OfType<AtomicWrite>().SelectMany(Events))
                {
                    write.PersistentActor.Tell(new WriteMessageFailure(e, cause, write.ActorInstanceId));
                }

                break;
            default:
                string version = _mode == Mode.Newer ? ".v99" : ".v1";
                _store.Tell(new WriteMessages(write.Messages.Select(envelope => Stored(envelope, version)), write.PersistentActor, write.ActorInstanceId), Sender);
                break;
        }
    }

    private static IImmutableList<IPersistentRepresentation> Events(AtomicWrite write) => (IImmutableList<IPersistentRepresentation>)write.Payload;

    private static IPersistentEnvelope Stored(IPersistentEnvelope envelope, string version) => envelope is AtomicWrite write
        ? new AtomicWrite(Events(write).Select(e => e.WithPayload(AsRead(e.Payload, version))).ToImmutableList())
        : envelope;

    internal sealed record Switch(Mode Mode) : INoSerializationVerificationNeeded;

    internal sealed record Count(string PersistenceId, int Snapshots) : INoSerializationVerificationNeeded;

    private static object AsRead(object payload, string version)
    {
        var serializer = (Akka.Serialization.SerializerWithStringManifest)Context.System.Serialization.FindSerializerFor(payload);
        return serializer.FromBinary(serializer.ToBinary(payload), serializer.Manifest(payload).Replace(".v1", version, StringComparison.Ordinal));
    }
}
