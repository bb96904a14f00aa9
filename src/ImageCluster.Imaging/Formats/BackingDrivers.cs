namespace ImageCluster.Imaging.Formats;

/// <summary>
/// Names that may stand in an image's header as the format of its backing file. QEMU takes any of its block drivers there, filters and protocols
/// too; not all of them can be opened here.
/// </summary>
public static class BackingDrivers
{
    // Of QAPI's BlockdevDriver, what Debian's qemu-img 7.2 has beside the formats that are registered here.
    private static readonly HashSet<string> Others = new(StringComparer.Ordinal)
    {
        "blkdebug", "blklogwrites", "blkreplay", "blkverify", "copy-before-write", "file", "ftp", "ftps", "gluster", "host_cdrom", "host_device", "http", "https",
        "iscsi", "nbd", "nfs", "null-aio", "null-co", "nvme", "quorum", "rbd", "replication", "snapshot-access", "ssh", "vvfat",
    };

    /// <summary>True where <c>create</c> takes the name.</summary>
    public static bool IsKnown(string name) => FormatRegistry.Find(name) is not null || Others.Contains(name);

    /// <summary>True where <c>rebase</c> takes the name: it asks what is compiled in, where <c>create</c> asks what QAPI names.</summary>
    public static bool IsBuiltIn(string name) => name == "iser" || (name != "blkreplay" && IsKnown(name));
}
