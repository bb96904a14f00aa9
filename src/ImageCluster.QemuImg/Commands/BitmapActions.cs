using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.QemuImg.Commands;

/// <summary>What is done to the bitmaps of an open image, in qemu-img's order of complaints.</summary>
internal static class BitmapActions
{
    // QEMU names the node of its graph, by a number that is drawn by lot.
    private const string Node = "#block1";

    /// <summary>The image's editor; an image without one has no bitmap of that name either.</summary>
    public static IBitmapEditor Editor(IImageLayer image, string name) => image as IBitmapEditor ?? throw NotFound(image, name);

    /// <param name="image">Open for writing.</param>
    /// <param name="name">Of the new bitmap.</param>
    /// <param name="granularity">Bytes; 0 for the format's default.</param>
    /// <param name="enabled">It records writes.</param>
    public static void Add(IImageLayer image, string name, long granularity, bool enabled)
    {
        if (name.Length == 0)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, image.FileName, "Bitmap name cannot be empty");
        }

        if (image is not IBitmapEditor && granularity != 0 && (granularity < 512 || !long.IsPow2(granularity)))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, image.FileName, "Granularity must be power of 2 and at least 512");
        }

        if (image is not IBitmapEditor editor)
        {
            throw new ImageException(ImageErrorKind.Unsupported, image.FileName, $"Can't store persistent bitmaps to {Node}: Operation not supported");
        }

        try
        {
            editor.AddBitmap(name, granularity, enabled);
        }
        catch (ImageException e) when (e.Kind is ImageErrorKind.Limit or ImageErrorKind.Unsupported)
        {
            throw e.Saying($"Can't make bitmap '{name}' persistent in '{Node}': {e.Message}");
        }
    }

    /// <summary>Sets in a bitmap of <paramref name="image"/> the bits that one of <paramref name="source"/> (which may be the same image) has set.</summary>
    public static void Merge(IImageLayer image, string name, IImageLayer source, string sourceName)
    {
        ImageBitmap target = Find(image, name);
        ImageBitmap from = Find(source, sourceName);
        if (!target.IsInconsistent && !from.IsInconsistent && image.VirtualSize != source.VirtualSize)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, image.FileName,
                $"Bitmaps are of different sizes (destination size is {image.VirtualSize}, source size is {source.VirtualSize}) and can't be merged");
        }

        // An inconsistent target is complained of before an inconsistent source.
        Editor(image, name).MarkBitmap(name, target.IsInconsistent ? [] : ((IBitmaps)source).ReadBitmap(sourceName));
    }

    private static ImageBitmap Find(IImageLayer image, string name) =>
        (image as IBitmaps)?.ListBitmaps().FirstOrDefault(bitmap => bitmap.Name == name) ?? throw NotFound(image, name);

    private static ImageException NotFound(IImageLayer image, string name) => new(ImageErrorKind.NotFound, image.FileName, $"Dirty bitmap '{name}' not found");
}
