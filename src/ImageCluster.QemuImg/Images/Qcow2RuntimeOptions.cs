using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.QemuImg.Images;

/// <summary>
/// The runtime options of QEMU's qcow2 driver (qemu(1), "Driver-specific options for qcow2") that have to fit each other or the image. They tune
/// caches and checks of QEMU's own and change nothing here, but what it refuses is refused.
/// </summary>
internal static class Qcow2RuntimeOptions
{
    private const string Overlap = "overlap-check";
    private const string OverlapTemplate = "overlap-check.template";
    private const long SmallestEntry = 512;

    /// <param name="options">Of types that are right.</param>
    /// <param name="image">Open.</param>
    /// <exception cref="ImageException">In QEMU's words.</exception>
    public static void Check(IReadOnlyDictionary<string, string> options, IImageLayer image)
    {
        CheckCaches(options, (image as IImageStatus)?.ClusterSize ?? 0);
        if (options.TryGetValue("cache-clean-interval", out string? interval) && CInteger.TryParse(interval, out long seconds) && seconds is < 0 or > uint.MaxValue)
        {
            throw Invalid("Cache clean interval too big");
        }

        bool isOld = image.DescribeSpecific()?.Fields.Any(static field => field is { Key: "compat", Value: "0.10" }) ?? false;
        if (isOld && options.TryGetValue("lazy-refcounts", out string? lazy) && RuntimeOptions.IsOn(lazy))
        {
            throw Invalid("Lazy refcounts require a qcow2 image with at least qemu 1.1 compatibility level");
        }

        if (options.TryGetValue(Overlap, out string? check) && options.TryGetValue(OverlapTemplate, out string? template) && check != template)
        {
            throw Invalid($"Conflicting values for qcow2 options '{Overlap}' ('{check}') and '{OverlapTemplate}' ('{template}')");
        }
    }

    private static void CheckCaches(IReadOnlyDictionary<string, string> options, long clusterSize)
    {
        long? all = Size("cache-size");
        long? tables = Size("l2-cache-size");
        long? refcounts = Size("refcount-cache-size");
        string? complaint = (all, tables, refcounts) switch
        {
            (not null, not null, not null) => "cache-size, l2-cache-size and refcount-cache-size may not be set at the same time",
            (not null, not null, _) when tables > all => "l2-cache-size may not exceed cache-size",
            (not null, _, not null) when refcounts > all => "refcount-cache-size may not exceed cache-size",
            _ => null,
        };
        if (complaint is not null)
        {
            throw Invalid(complaint);
        }

        if (Size("l2-cache-entry-size") is { } entry && (entry < SmallestEntry || entry > clusterSize || !long.IsPow2(entry)))
        {
            throw Invalid(string.Create(CultureInfo.InvariantCulture, $"L2 cache entry size must be a power of two between {SmallestEntry} and the cluster size ({clusterSize})"));
        }

        long? Size(string name) => options.TryGetValue(name, out string? text) && ByteSize.TryParse(text, out long bytes) ? bytes : null;
    }

    private static ImageException Invalid(string message) => new(ImageErrorKind.InvalidArgument, null, message);
}
