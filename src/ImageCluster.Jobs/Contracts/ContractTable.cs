using System.Collections.Frozen;
using Google.Protobuf;

namespace ImageCluster.Jobs.Contracts;

/// <summary>Contracts by manifest and by type. Of several versions of one type the last in the list is the one that is written.</summary>
internal sealed class ContractTable
{
    private readonly string _what;
    private readonly FrozenDictionary<string, Contract> _byManifest;
    private readonly FrozenDictionary<Type, Contract> _byType;

    public ContractTable(string what, params IEnumerable<Contract> contracts)
    {
        Contract[] all = [.. contracts];
        _what = what;
        _byManifest = all.ToFrozenDictionary(contract => contract.Manifest, StringComparer.Ordinal);
        _byType = all.GroupBy(contract => contract.Type).ToFrozenDictionary(group => group.Key, group => group.Last());
    }

    public IEnumerable<Contract> All => _byManifest.Values;

    public string ManifestOf(object value) => Find(value).Manifest;

    public byte[] Encode(object value) => Find(value).Encode(value).ToByteArray();

    public object Decode(string manifest, ReadOnlyMemory<byte> bytes)
    {
        if (!_byManifest.TryGetValue(manifest, out Contract? contract))
        {
            string kind = manifest.Contains(".v", StringComparison.Ordinal) ? manifest[..(manifest.LastIndexOf(".v", StringComparison.Ordinal) + 2)] : manifest;
            string[] known = [.. _byManifest.Keys.Where(key => key.StartsWith(kind, StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
            throw new ContractException(known.Length > 0
                ? $"this program does not know the {_what} '{manifest}', only {string.Join(", ", known)}: it was written by a newer version"
                : $"this program does not know the {_what} '{manifest}'");
        }

        try
        {
            return contract.Decode(bytes);
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or ArgumentException or OverflowException)
        {
            throw new ContractException($"the {_what} '{manifest}' of {bytes.Length:#,0} bytes is damaged: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    private Contract Find(object value) => _byType.TryGetValue(value.GetType(), out Contract? contract)
        ? contract
        : throw new ContractException($"{value.GetType().Name} is no {_what}");
}
