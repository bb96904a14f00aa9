using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Work.Native;
using ImageCluster.Work.Roots;

namespace ImageCluster.Work.Targets;

/// <summary>What stands where a target is to be, before anything is written.</summary>
public static class TargetStanding
{
    /// <summary>Where targets of a machine are devices, so that nothing else may be put there: it would lie in memory.</summary>
    private const string DeviceDirectory = "/dev/";

    /// <summary>True for the path of a block device.</summary>
    public static bool IsDevice(string path) => FileStamp.Of(path) is { IsBlockDevice: true };

    /// <summary>True for the path of a directory in which only devices lie.</summary>
    public static bool IsForDevices(string directory) => (directory.TrimEnd('/') + "/").StartsWith(DeviceDirectory, StringComparison.Ordinal)
        && !directory.StartsWith("/dev/shm", StringComparison.Ordinal);

    /// <summary>True for an address at which images appear as a whole.</summary>
    public static bool IsStored(string address) => ImagePath.ProtocolOf(address) == "s3";

    /// <summary>True for the address of a root that targets may have.</summary>
    public static bool IsWritable(string address) => ImagePath.ProtocolOf(address) is "s3" or "nbd" or "nbd+tcp" or "nbd+unix";

    /// <summary>Bytes that what stands there can hold; null where nothing does, or it can be made as long as is needed.</summary>
    /// <exception cref="ImageException">It cannot be looked at, or nothing may be made there.</exception>
    public static long? CapacityOf(string path, RootMap roots)
    {
        if (!RemoteRoot.IsOne(path) && !IsDevice(path))
        {
            return IsForDevices(path)
                ? throw new ImageException(ImageErrorKind.NotFound, path, "There is no block device of that name") { Hint = "make the volume first, at least as large as the disk" }
                : null;
        }

        if (RemoteRoot.IsOne(path) && IsStored(path))
        {
            return null;
        }

        using IBlockFile file = roots.AllFiles.Open(path, OpenMode.ReadOnly with { Lock = ImageLock.None });
        return file.Length;
    }

    /// <summary>How a target is opened to be read back: a device or an export may be larger than the raw disk in it.</summary>
    public static IReadOnlyDictionary<string, string> DriverOptions(string path, string? format, long virtualSize) =>
        format == "raw" && (RemoteRoot.IsOne(path) ? !IsStored(path) : IsDevice(path))
            ? new Dictionary<string, string> { ["size"] = ((virtualSize + 511) & ~511L).ToString(CultureInfo.InvariantCulture) }
            : new Dictionary<string, string>();

    /// <summary>What a target that was made here may name: its own other files, which are objects where it is one.</summary>
    public static ProtocolPolicy References(string path) => RemoteRoot.IsOne(path) && IsStored(path) ? ProtocolPolicy.Of(ImagePath.ProtocolOf(path)!) : ProtocolPolicy.FilesOnly;

    /// <summary>By what a target is known for the one that a run was about to finish; null where nothing is there.</summary>
    public static string? IdentityOf(string path, RootMap roots) => !RemoteRoot.IsOne(path) ? FileStamp.Of(path)?.Identity : roots.AllFiles.ProtocolOf(path)?.MarkOf(path);
}
