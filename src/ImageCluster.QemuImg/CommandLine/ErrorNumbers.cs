namespace ImageCluster.QemuImg.CommandLine;

/// <summary>The C library's words for the error numbers that the engine gives (strerror(3), Linux).</summary>
internal static class ErrorNumbers
{
    /// <summary>The words; null for a number that is not known here.</summary>
    public static string? TextOf(int errno) => errno switch
    {
        1 => "Operation not permitted",
        2 => "No such file or directory",
        5 => "Input/output error",
        13 => "Permission denied",
        16 => "Device or resource busy",
        17 => "File exists",
        22 => "Invalid argument",
        27 => "File too large",
        28 => "No space left on device",
        30 => "Read-only file system",
        95 => "Operation not supported",
        122 => "Disk quota exceeded",
        _ => null,
    };
}
