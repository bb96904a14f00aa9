using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>An image's persistent bitmaps as lines: name, granularity, whether it records, and the ranges that are marked.</summary>
internal static class BitmapText
{
    public static string Of(string path)
    {
        using IImageLayer image = Qcow2TestImages.Open(path);
        return Of((IBitmaps)image);
    }

    public static string Of(IBitmaps image) => string.Concat(image.ListBitmaps().Select(bitmap =>
        $"{bitmap.Name} {bitmap.Granularity} {(bitmap.IsEnabled ? "on" : "off")}:{(bitmap.IsInconsistent ? " inconsistent" : Ranges(image, bitmap.Name))}\n"));

    private static string Ranges(IBitmaps image, string name) =>
        string.Concat(image.ReadBitmap(name).Select(range => $" ({range.Offset}, {range.Length})"));
}
