namespace ImageCluster.QemuImg.Images;

/// <summary>
/// The options that QEMU's drivers take when an image is opened (qemu-options, -blockdev): which names are known. Most tune QEMU's
/// caches and threads; they are accepted and change nothing here.
/// </summary>
internal static class RuntimeOptions
{
    private static readonly string[] Generic =
    [
        "node-name", "read-only", "auto-read-only", "force-share", "discard", "detect-zeroes",
        "cache.direct", "cache.no-flush", "cache.writeback",
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
        "encrypt.format", "encrypt.key-secret", "data-file", "data-file.driver", "data-file.filename",
    ];

    public static bool IsGeneric(string name) => Generic.Contains(name);

    public static bool IsOfFile(string name) => OfFile.Contains(name);

    public static bool IsOfDriver(string driver, string name) => driver switch
    {
        "raw" => name is "offset" or "size",
        "qcow2" => OfQcow2.Contains(name),
        "qcow" => name is "encrypt.format" or "encrypt.key-secret",
        "luks" => name is "key-secret" or "header" or "header.filename",
        "vpc" => name is "force_size_calc",
        "parallels" => name is "prealloc-size" or "prealloc-mode",
        _ => false,
    };

    /// <summary>True for an option that makes another image of the same file.</summary>
    public static bool IsSignificant(string name) => name is "offset" or "size" or "encrypt.key-secret" or "key-secret";
}
