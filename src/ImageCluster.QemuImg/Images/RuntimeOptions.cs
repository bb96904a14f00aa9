using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;

namespace ImageCluster.QemuImg.Images;

/// <summary>
/// The options that QEMU's drivers take when an image is opened (qemu-options, -blockdev): which names are known, and which values. Most tune
/// QEMU's caches and threads; they are accepted and change nothing here.
/// </summary>
internal static class RuntimeOptions
{
    private static readonly string[] Generic =
    [
        "node-name", "read-only", "auto-read-only", "force-share", "discard", "detect-zeroes",
        "cache.direct", "cache.no-flush",
    ];

    private static readonly string[] OfFile =
    [
        "filename", "aio", "aio-max-batch", "locking", "pr-manager", "drop-cache", "x-check-cache-dropped",
    ];

    private static readonly string[] OfQcow2 =
    [
        "lazy-refcounts", "pass-discard-request", "pass-discard-snapshot", "pass-discard-other", "overlap-check",
        "overlap-check.template", "overlap-check.main-header", "overlap-check.active-l1", "overlap-check.active-l2",
        "overlap-check.refcount-table", "overlap-check.refcount-block", "overlap-check.snapshot-table",
        "overlap-check.inactive-l1", "overlap-check.inactive-l2", "overlap-check.bitmap-directory",
        "cache-size", "l2-cache-size", "l2-cache-entry-size", "refcount-cache-size", "cache-clean-interval",
        "encrypt.format", "encrypt.key-secret", "data-file",
    ];

    // With these alone its name says all.
    private const string BlkdebugConfig = "config";

    private static readonly string[] OfBlkdebug = ["align", "max-transfer", "opt-write-zero", "max-write-zero", "opt-discard", "max-discard"];

    private static readonly string[] Flags =
    [
        "read-only", "auto-read-only", "force-share", "cache.direct", "cache.no-flush", "lazy-refcounts",
        "pass-discard-request", "pass-discard-snapshot", "pass-discard-other", "drop-cache", "x-check-cache-dropped",
        "overlap-check.main-header", "overlap-check.active-l1", "overlap-check.active-l2", "overlap-check.refcount-table", "overlap-check.refcount-block",
        "overlap-check.snapshot-table", "overlap-check.inactive-l1", "overlap-check.inactive-l2", "overlap-check.bitmap-directory",
    ];

    private static readonly string[] Sizes = ["cache-size", "l2-cache-size", "l2-cache-entry-size", "refcount-cache-size", "offset", "size", "prealloc-align", "prealloc-size", .. OfBlkdebug];

    private static readonly Dictionary<string, string[]> Choices = new()
    {
        ["locking"] = ["auto", "on", "off"],
        ["aio"] = ["threads", "native", "io_uring"],
        ["detect-zeroes"] = ["off", "on", "unmap"],
    };

    public static bool IsGeneric(string name) => Generic.Contains(name);

    /// <summary>A generic option that a node hands down to its file.</summary>
    public static bool IsInherited(string name) => name is "read-only" or "auto-read-only" or "force-share" or "cache.direct" or "cache.no-flush";

    /// <summary>A driver for files and devices of this machine.</summary>
    public static bool IsFileDriver(string? driver) => driver is "file" or "host_device";

    /// <summary>A driver that stands over another image's disk and is no format.</summary>
    public static bool IsFilter(string? driver) => driver is not null && FormatRegistry.Find(driver) is { } format && !FormatRegistry.All.Contains(format);

    public static bool IsOfFile(string name) => OfFile.Contains(name);

    public static bool IsOn(string value) => value is "on" or "yes" or "true" or "y";

    public static bool IsOfDriver(string driver, string name) => driver switch
    {
        "raw" => name is "offset" or "size",
        "qcow2" => OfQcow2.Contains(name) || name.StartsWith("data-file.", StringComparison.Ordinal),
        "qcow" => name is "encrypt.format" or "encrypt.key-secret",
        "luks" => name is "key-secret" or "header" or "header.filename",
        "blkdebug" => name is BlkdebugConfig || OfBlkdebug.Contains(name) || IsBlkdebugRule(name),
        "quorum" => name is "vote-threshold" or "blkverify" or "rewrite-corrupted" or "read-pattern",
        "throttle" => name is "throttle-group",
        "preallocate" => name is "prealloc-align" or "prealloc-size",
        "copy-on-read" => name is "bottom",
        "vpc" => name is "force_size_calc",
        "parallels" => name is "prealloc-size" or "prealloc-mode",
        _ => false,
    };

    /// <summary>Refuses an option that the format does not have; a format that is still to be probed has all.</summary>
    public static void CheckDriver(string? driver, string name)
    {
        if (driver is not null && !IsOfDriver(driver, name))
        {
            throw Invalid(driver is "blkdebug" or "blkverify" ? $"Block protocol '{driver}' doesn't support the option '{name}'" : $"Block format '{driver}' does not support the option '{name}'");
        }
    }

    /// <summary>Refuses a value that is not of the option's type.</summary>
    public static void Check(string name, string value)
    {
        if (Flags.Contains(name) && value is not ("on" or "off" or "yes" or "no" or "true" or "false" or "y" or "n"))
        {
            throw Invalid($"Parameter '{name}' expects 'on' or 'off'");
        }

        if (Choices.TryGetValue(name, out string[]? choices) && !choices.Contains(value))
        {
            throw Invalid($"invalid parameter value: {value}");
        }

        if (name == "discard" && value is not ("on" or "off" or "unmap" or "ignore"))
        {
            throw Invalid("Invalid discard option");
        }

        if (name is "overlap-check" or "overlap-check.template" && value is not ("none" or "constant" or "cached" or "all"))
        {
            throw Invalid($"Unsupported value '{value}' for qcow2 option 'overlap-check'. Allowed are any of the following: none, constant, cached, all");
        }

        if (name is "cache-clean-interval" or "aio-max-batch" && !CInteger.TryParse(value, out _))
        {
            throw Invalid($"Parameter '{name}' expects a number");
        }

        if (Sizes.Contains(name) && CreateOptionSet.IsBeyond64Bits(value, takesSuffix: true))
        {
            throw Invalid($"Value '{value}' is out of range for parameter '{name}'");
        }

        if (Sizes.Contains(name) && !ByteSize.TryParseUnsigned(value, out _))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, null, $"Parameter '{name}' expects a non-negative number below 2^64") { Hint = CreateOptionSet.SizeHint };
        }

        bool isIdentifier = value.Length is > 0 and < 32 && char.IsAsciiLetter(value[0]) && value.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_');
        if (name == "node-name" && !isIdentifier)
        {
            throw Invalid($"Invalid node-name: '{value}'");
        }
    }

    /// <summary>True for an option that makes another image of the same file.</summary>
    public static bool IsSignificant(string name) => name is "offset" or "size" or "encrypt.key-secret" or "key-secret" or "throttle-group" or "prealloc-align" or "prealloc-size" or BlkdebugConfig
        or "vote-threshold" or "blkverify" or "rewrite-corrupted" or "read-pattern"
        || OfBlkdebug.Contains(name) || IsBlkdebugRule(name);

    private static bool IsBlkdebugRule(string name) => name.StartsWith("inject-error.", StringComparison.Ordinal) || name.StartsWith("set-state.", StringComparison.Ordinal);

    private static ImageException Invalid(string message) => new(ImageErrorKind.InvalidArgument, null, message);
}
