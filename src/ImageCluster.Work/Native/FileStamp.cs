using System.Globalization;

namespace ImageCluster.Work.Native;

/// <summary>
/// What the file system says of a file without its bytes: which file it is, how long, and when its content and its status last changed. Two
/// stamps that differ mean that somebody touched the file; two that are equal, as far as the file system can tell, that nobody did.
/// </summary>
/// <param name="Identity">Device and inode where the system has them: the same for every name of one file.</param>
/// <param name="Length">Bytes.</param>
/// <param name="AllocatedBytes">Bytes that it occupies.</param>
/// <param name="Modified">When the content changed, as the file system writes it.</param>
/// <param name="Changed">When the content, the owner, the mode or the links changed; empty where the system does not say.</param>
public sealed record FileStamp(string Identity, long Length, long AllocatedBytes, string Modified, string Changed)
{
    public bool IsBlockDevice { get; init; }

    /// <summary>
    /// Which file of its file system it is, on every machine that has that: there the device may have another number. Empty where the system does not say.
    /// </summary>
    public string Mark { get; init; } = "";

    /// <summary>The stamp of what is at <paramref name="path"/> (of a link: what it leads to), or null where nothing is.</summary>
    public static FileStamp? Of(string path)
    {
        if (OperatingSystem.IsLinux())
        {
            return LibC.StatX(LibC.AtFdCwd, path, 0, LibC.BasicStats, out LibC.StatXBuffer stat) < 0 ? null : new FileStamp(
                $"{stat.DeviceMajor:x}:{stat.DeviceMinor:x}:{stat.Inode:x}",
                stat.Size,
                stat.Blocks * 512,
                $"{stat.ModifySeconds}.{stat.ModifyNanoseconds:000000000}",
                $"{stat.ChangeSeconds}.{stat.ChangeNanoseconds:000000000}")
            {
                IsBlockDevice = (stat.Mode & LibC.TypeMask) == LibC.BlockDevice,
                Mark = $"{stat.Inode:x}",
            };
        }

        var file = new FileInfo(path);
        return file.Exists
            ? new FileStamp(file.FullName, file.Length, file.Length, file.LastWriteTimeUtc.Ticks.ToString(CultureInfo.InvariantCulture), "")
            : null;
    }

    /// <summary>What to compare: everything but the space occupied, which the file system may still change by itself (delayed allocation).</summary>
    public string Fingerprint => $"{Identity} {Length} {Modified} {Changed}";
}
