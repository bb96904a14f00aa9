using System.Globalization;
using System.Runtime.InteropServices;

namespace ImageCluster.QemuImg.Output;

/// <summary>Points in time as the C library shows them here: it knows ways to state a time zone (<c>TZ=XYZ-3</c>) and offsets with seconds that .NET does not.</summary>
internal static partial class LocalTime
{
    private const int Year = 5;
    private const int FirstYear = 1900;

    /// <param name="seconds">Since 1970, UTC.</param>
    public static string Text(long seconds)
    {
        // struct tm: nine numbers from the seconds up to the year and beyond, and room for what systems add.
        Span<int> parts = stackalloc int[16];
        if (!OperatingSystem.IsLinux() || LocalTimeOf(seconds, parts) == 0)
        {
            return DateTimeOffset.FromUnixTimeSeconds(seconds).LocalDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        }

        return string.Create(CultureInfo.InvariantCulture,
            $"{parts[Year] + FirstYear:0000}-{parts[Year - 1] + 1:00}-{parts[Year - 2]:00} {parts[2]:00}:{parts[1]:00}:{parts[0]:00}");
    }

    [LibraryImport("libc", EntryPoint = "localtime_r")]
    private static partial nint LocalTimeOf(in long time, Span<int> parts);
}
