using ImageCluster.Jobs.Images;

namespace ImageCluster.Jobs.Contracts;

/// <summary>
/// States of records to bytes and back, each under a manifest with its version: what a journal is shortened by. As with events, what was ever written is read by every
/// later version.
/// </summary>
public static class StateCodec
{
    internal static ContractTable Table { get; } = new("state", [ImageStateContract.Current]);

    /// <summary>True for what this codec takes.</summary>
    public static bool IsState(object value) => value is ImageState;

    /// <exception cref="ContractException">It is no state of a record that is stored whole.</exception>
    public static string ManifestOf(object state) => Table.ManifestOf(state);

    public static byte[] Encode(object state) => Table.Encode(state);

    /// <exception cref="ContractException">The manifest or its version is not known, or the bytes are damaged.</exception>
    public static object Decode(string manifest, ReadOnlyMemory<byte> bytes) => Table.Decode(manifest, bytes);
}
