namespace ImageCluster.Imaging.Storage.Protocols;

/// <summary>Every protocol there is, in one list. Adding a protocol is adding its folder and its line here.</summary>
public static class ProtocolRegistry
{
    /// <summary>New instances that share nothing but <paramref name="settings"/>.</summary>
    public static IReadOnlyList<StorageProtocol> Create(ProtocolSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return
        [
            new Nbd.NbdProtocol(settings),
            new Http.HttpProtocol(),
            new Archives.ArchiveProtocol(),
            new ObjectStore.ObjectStoreProtocol(),
            new Null.NullProtocol(),
        ];
    }

    /// <summary>The protocol that is QEMU's driver of that name, for its options and its names; null where there is none.</summary>
    public static StorageProtocol? FindDriver(string driver) => Create(ProtocolSettings.Default)
        .FirstOrDefault(protocol => protocol.Schemes.Any(scheme => protocol.DriverOf(scheme) == driver));
}
