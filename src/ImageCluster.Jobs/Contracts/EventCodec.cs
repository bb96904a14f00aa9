using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Jobs.Contracts;

/// <summary>
/// Events of the three records to bytes and back, each under a manifest with its version. What was ever written is read by every later
/// version: contracts are added, never changed (tests/ImageCluster.Jobs.Tests/Contracts/Fixtures holds the bytes of each).
/// </summary>
public static class EventCodec
{
    internal static ContractTable Table { get; } =
        new("event", [.. ImageEventContracts.All, .. JobEventContracts.All, .. MigrationEventContracts.All]);

    public static string ManifestOf(ImageEvent e) => Table.ManifestOf(e);

    public static string ManifestOf(JobEvent e) => Table.ManifestOf(e);

    public static string ManifestOf(MigrationEvent e) => Table.ManifestOf(e);

    /// <summary>True where the manifest is one of an event.</summary>
    public static bool IsEvent(object value) => value is ImageEvent or JobEvent or MigrationEvent;

    /// <summary>As the typed ones, for a serializer that has only objects.</summary>
    /// <exception cref="ContractException">It is no event.</exception>
    public static string ManifestOf(object e) => Table.ManifestOf(e);

    public static byte[] Encode(object e) => Table.Encode(e);

    /// <summary>An <see cref="ImageEvent"/>, <see cref="JobEvent"/> or <see cref="MigrationEvent"/>.</summary>
    /// <exception cref="ContractException">The manifest or its version is not known, or the bytes are damaged.</exception>
    public static object Decode(string manifest, ReadOnlyMemory<byte> bytes) => Table.Decode(manifest, bytes);

    /// <summary>As <see cref="Decode(string, ReadOnlyMemory{byte})"/>, for the journal of one sort of record.</summary>
    public static TEvent Decode<TEvent>(string manifest, ReadOnlyMemory<byte> bytes)
        where TEvent : class =>
        Table.Decode(manifest, bytes) as TEvent ?? throw new ContractException($"'{manifest}' is no event of this record ({typeof(TEvent).Name})");
}
