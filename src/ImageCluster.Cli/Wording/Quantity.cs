using System.Globalization;
using ImageCluster.Work;

namespace ImageCluster.Cli.Wording;

/// <summary>Bytes, rates and times as people read them.</summary>
internal static class Quantity
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    /// <summary>Three digits at the least and a unit of 1,024: <c>0 B</c>, <c>1.50 GiB</c>, <c>512 MiB</c>.</summary>
    public static string Bytes(long bytes)
    {
        double value = Math.Max(0, bytes);
        int unit = 0;
        while (value >= 999.5 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        string format = unit == 0 || value >= 99.95 ? "0" : value >= 9.995 ? "0.0" : "0.00";
        return $"{value.ToString(format, CultureInfo.InvariantCulture)} {Units[unit]}";
    }

    /// <summary>As <see cref="Bytes"/>, a second.</summary>
    public static string Rate(double bytesPerSecond) =>
        $"{Bytes(double.IsFinite(bytesPerSecond) ? (long)Math.Min(bytesPerSecond, long.MaxValue / 2) : 0)}/s";

    /// <summary>A time that has passed: <c>0.4 s</c>, <c>42 s</c>, <c>3 min 20 s</c>, <c>5 h 02 min</c>.</summary>
    public static string Duration(TimeSpan time) => time switch
    {
        { TotalSeconds: < 9.95 } => $"{Math.Max(0, time.TotalSeconds).ToString("0.0", CultureInfo.InvariantCulture)} s",
        { TotalSeconds: < 59.5 } => $"{time.TotalSeconds.ToString("0", CultureInfo.InvariantCulture)} s",
        { TotalMinutes: < 60 } => $"{(int)time.TotalMinutes} min {time.Seconds:00} s",
        { TotalHours: < 48 } => $"{(int)time.TotalHours} h {time.Minutes:00} min",
        _ => $"{(int)time.TotalDays} d {time.Hours:00} h",
    };

    /// <summary>A clock for what is left: <c>0:42</c>, <c>1:02:03</c>; a dash where nobody knows.</summary>
    public static string Clock(TimeSpan? time) => time switch
    {
        null => "-",
        { TotalDays: >= 4 } known => $"{(int)known.TotalDays} days",
        { TotalHours: >= 1 } known => $"{(int)known.TotalHours}:{known.Minutes:00}:{known.Seconds:00}",
        { } known => $"{known.Minutes}:{known.Seconds:00}",
    };

    /// <summary><c>1 image</c>, <c>3 images</c>.</summary>
    public static string Count(int count, string noun) => $"{count.ToString("#,0", CultureInfo.InvariantCulture)} {noun}{(count == 1 ? "" : "s")}";

    /// <summary>A path shortened in its middle to fit a column: the file's name is what tells images apart.</summary>
    public static string Shortened(string path, int width)
    {
        path = ErrorText.OneLine(path);
        if (path.Length <= width)
        {
            return path;
        }

        int slash = path.LastIndexOf('/');
        int tail = slash >= 0 && path.Length - slash <= width - 4 ? path.Length - slash : Math.Max(1, (width - 1) * 2 / 3);
        return string.Concat(path.AsSpan(0, Math.Max(0, width - 1 - tail)), "…", path.AsSpan(path.Length - tail));
    }
}
