using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Jobs.Contracts;

/// <summary>Commands to the three records, and refusals, to bytes and back, each under a manifest with its version.</summary>
public static class CommandCodec
{
    internal static ContractTable Table { get; } =
        new("command", [.. ImageCommandContracts.All, .. JobCommandContracts.All, .. MigrationCommandContracts.All,
            Contract.Of<Refusal, V1.Refusal>("refusal.v1", ValueMapping.ToMessage, ValueMapping.ToDomain)]);

    /// <summary>True for what this codec takes.</summary>
    public static bool IsCommand(object value) => value is ImageCommand or JobCommand or MigrationCommand or Refusal;

    /// <exception cref="ContractException">It is no command.</exception>
    public static string ManifestOf(object command) => Table.ManifestOf(command);

    public static byte[] Encode(object command) => Table.Encode(command);

    /// <exception cref="ContractException">The manifest or its version is not known, or the bytes are damaged.</exception>
    public static object Decode(string manifest, ReadOnlyMemory<byte> bytes) => Table.Decode(manifest, bytes);
}
