using System.Collections.Immutable;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Serialization;
using Akka.TestKit.Xunit2;
using ImageCluster.Cluster.Serialization;
using Xunit.Abstractions;

namespace ImageCluster.Cluster.Tests.Support;

/// <summary>A test with an actor system whose journal can be made to fail, and in which every message goes through the serializer.</summary>
/// <param name="serializesMessages">
/// False for events that Akka's own messages to its in-memory journal cannot carry as JSON. (The journal itself stores bytes of ours all the same.)
/// </param>
public abstract class ActorTest(ITestOutputHelper output, bool serializesMessages = true) : TestKit(Setup(serializesMessages), "test", output)
{
    protected static TimeSpan Soon { get; } = TimeSpan.FromSeconds(10);

    /// <summary>Writes an event into the journal of a record that is not in memory, as a newer version of this program would.</summary>
    protected async Task WriteNewerAsync(string persistenceId, object e)
    {
        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Newer);
        IActorRef writer = Sys.ActorOf(Props.Create(() => new EventWriter(persistenceId)));
        await writer.Ask<object>(e, Soon);
        await writer.GracefulStop(Soon);
        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Pass);
    }

    private static ActorSystemSetup Setup(bool serializesMessages) => BootstrapSetup.Create()
        .WithConfig(Akka.Configuration.ConfigurationFactory.ParseString($"""
            akka.loglevel = WARNING
            akka.actor.serialize-messages = {(serializesMessages ? "on" : "off")}
            {FaultyJournal.Config}
            """))
        .And(SerializationSetup.Create(system =>
            [SerializerDetails.Create(ContractSerializer.Name, new ContractSerializer(system), ContractSerializer.BoundTypes.ToImmutableHashSet())]));
}
