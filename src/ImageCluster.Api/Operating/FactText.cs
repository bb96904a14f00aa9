using System.Globalization;

namespace ImageCluster.Api.Operating;

/// <summary>Numbers and times as an operator reads them.</summary>
internal static class FactText
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    /// <summary><c>512 MiB</c>, <c>1.5 GiB</c>.</summary>
    public static string Bytes(long bytes)
    {
        double value = Math.Max(0, bytes);
        int unit = 0;
        for (; value >= 1000 && unit < Units.Length - 1; unit++)
        {
            value /= 1024;
        }

        return $"{value.ToString(unit == 0 || value >= 100 ? "0" : "0.0", CultureInfo.InvariantCulture)} {Units[unit]}";
    }

    public static string Percent(long part, long whole) =>
        whole <= 0 ? "-" : $"{Math.Floor(100.0 * Math.Clamp(part, 0, whole) / whole).ToString("0", CultureInfo.InvariantCulture)}%";

    /// <summary>UTC, to the second.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) + "Z";

    public static string Time(DateTimeOffset? time) => time is { } known ? Time(known) : "";

    public static string Number(long number) => number.ToString("#,0", CultureInfo.InvariantCulture);
}
