using System.Collections.Frozen;
using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Event;
using Akka.Serialization;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Serialization;

/// <summary>
/// The one serializer of what actors store and send: events, states, commands and the cluster's own messages, as protobuf under the versioned
/// manifests of their contracts. What it does not know comes out as <see cref="Unreadable"/>, with a line that says so, whatever the bytes are.
/// </summary>
public sealed class ContractSerializer : SerializerWithStringManifest
{
    /// <summary>Stored beside every event: it never changes.</summary>
    public const int Id = 4_001;

    /// <summary>The name under which it is configured.</summary>
    public const string Name = "imagecluster-contracts";

    private static readonly ContractTable Messages = new("message", [.. ImageMessageContracts.All, .. WorkMessageContracts.All, .. RecordMessageContracts.All]);

    // By kind (a manifest without its version), so that a newer version of a known kind is reported as such.
    private static readonly FrozenDictionary<string, ContractTable> ByKind = new[] { EventCodec.Table, StateCodec.Table, CommandCodec.Table, Messages }
        .SelectMany(table => table.All.Select(contract => (Kind: KindOf(contract.Manifest), Table: table)))
        .DistinctBy(entry => entry.Kind)
        .ToFrozenDictionary(entry => entry.Kind, entry => entry.Table, StringComparer.Ordinal);

    public ContractSerializer(ExtendedActorSystem system)
        : base(system)
    {
    }

    /// <summary>The types that it is bound to, with all that derive from them.</summary>
    public static IReadOnlyList<Type> BoundTypes { get; } =
    [
        typeof(ImageEvent), typeof(JobEvent), typeof(MigrationEvent), typeof(ImageState), typeof(ImageCommand), typeof(JobCommand), typeof(MigrationCommand),
        typeof(Refusal), typeof(ImageReply), typeof(DescribeImage),
        typeof(JobReply), typeof(WorkWanted), typeof(WorkOffered), typeof(GiveWork), typeof(ShardTask), typeof(AbandonTask),
        typeof(ListCopied), typeof(ReserveBytes), typeof(BytesReserved),
        typeof(DescribeQueue), typeof(QueueDescription),
        typeof(DescribeJob), typeof(ReportJob), typeof(ForgetJob), typeof(ForgetMigration), typeof(MigrationReply), typeof(DescribeMigration), typeof(ListMigrationImages), typeof(GatheredImages),
        typeof(IDirectoryMessage), typeof(EntryNoted), typeof(JobPage), typeof(MigrationPage), typeof(ImagePage),
    ];

    public override int Identifier => Id;

    /// <summary>Every manifest, for tests and documents.</summary>
    internal static IEnumerable<string> Manifests =>
        [.. EventCodec.Table.All.Concat(StateCodec.Table.All).Concat(CommandCodec.Table.All).Concat(Messages.All).Select(contract => contract.Manifest)];

    public override string Manifest(object o) => Do(() => TableOf(o).ManifestOf(o));

    public override byte[] ToBinary(object obj) => Do(() => TableOf(obj).Encode(obj));

    /// <summary>What was stored or sent, or <see cref="Unreadable"/>, which is logged.</summary>
    public override object FromBinary(byte[] bytes, string manifest)
    {
        try
        {
            return ByKind.GetValueOrDefault(KindOf(manifest), Messages).Decode(manifest, bytes);
        }
        catch (ContractException e)
        {
            system.Log.Error("Something was stored or sent that cannot be read: {0}", e.Message);
            return new Unreadable(e.Message);
        }
    }

    private static ContractTable TableOf(object value) =>
        EventCodec.IsEvent(value) ? EventCodec.Table
        : StateCodec.IsState(value) ? StateCodec.Table
        : CommandCodec.IsCommand(value) ? CommandCodec.Table
        : Messages;

    private static string KindOf(string manifest)
    {
        int version = manifest.LastIndexOf(".v", StringComparison.Ordinal);
        return version < 0 ? manifest : manifest[..version];
    }

    private static T Do<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (ContractException e)
        {
            throw new SerializationException(e.Message, e);
        }
    }
}
