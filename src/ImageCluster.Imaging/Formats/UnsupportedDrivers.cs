namespace ImageCluster.Imaging.Formats;

/// <summary>
/// Drivers of Debian's qemu-img 7.2 that are not here, with the reason: who names one is told that it is known, and what to do instead.
/// </summary>
public static class UnsupportedDrivers
{
    private const string Mount = "mount what is there, or copy the image to this machine";
    private const string Attach = "attach it as a block device of this machine, or export it by NBD";
    private const string Machine = "it serves the jobs of a running machine";

    /// <summary>The drivers, and the schemes of names that lead to them, with what to do instead or why not.</summary>
    public static IReadOnlyList<(string Name, string Reason)> List { get; } =
    [
        ("blklogwrites", "Linux logs the writes of a block device (dm-log-writes)"),
        ("copy-before-write", Machine),
        ("fat", "a directory as a file system: make one by mkfs.fat and mcopy"),
        ("ftp", Mount),
        ("ftps", Mount),
        ("gluster", Mount),
        ("host_cdrom", "name the device's file itself"),
        ("iscsi", Attach),
        ("iser", Attach),
        ("nfs", Mount),
        ("nvme", "name the block device that Linux makes of it"),
        ("rbd", Attach),
        ("replication", Machine),
        ("snapshot-access", Machine),
        ("ssh", Mount),
        ("vvfat", "a directory as a file system: make one by mkfs.fat and mcopy"),
    ];

    /// <summary>What to say of the driver of that name; null where QEMU has none of that name either.</summary>
    public static string? Refusal(string driver) => Find(driver) is { } reason ? $"Driver '{driver}' is not supported: {reason}" : null;

    /// <summary>What to say of a name that starts with that scheme; null where QEMU knows no such scheme either.</summary>
    public static string? RefusalOfScheme(string scheme) => Find(scheme.Split('+')[0]) is { } reason ? $"Protocol '{scheme}' is not supported: {reason}" : null;

    private static string? Find(string name) => List.FirstOrDefault(driver => driver.Name == name).Reason;
}
