using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Reads the persistent bitmaps of an open image.</summary>
internal static class BitmapReader
{
    /// <summary>
    /// The directory, after a look at the tables of the bitmaps that are said to be consistent, as QEMU has it when it opens an image: one
    /// that is not sound, or two of one name, are reasons to refuse it.
    /// </summary>
    public static IReadOnlyList<PersistentBitmap> Read(Metadata metadata)
    {
        IReadOnlyList<PersistentBitmap> bitmaps = BitmapDirectory.Read(metadata.File, metadata.Header);
        HashSet<string> names = [];
        foreach (PersistentBitmap bitmap in bitmaps)
        {
            if (!names.Add(bitmap.Name) && !bitmap.IsInconsistent)
            {
                throw new ImageException(ImageErrorKind.Corrupt, metadata.File.Name, $"Bitmap already exists: {bitmap.Name}");
            }

            if (!bitmap.IsInconsistent)
            {
                _ = BitmapTable.Load(metadata.File, metadata.Header, metadata.Layout, bitmap);
            }
        }

        return bitmaps;
    }

    public static IReadOnlyList<ImageBitmap> List(IReadOnlyList<PersistentBitmap> bitmaps) =>
        [.. bitmaps.Select(static b => new ImageBitmap(b.Name, 1L << b.GranularityBits, b.Flags.HasFlag(BitmapFlags.Auto), b.IsInconsistent))];

    public static IEnumerable<(long Offset, long Length)> Ranges(Metadata metadata, IReadOnlyList<PersistentBitmap> bitmaps, string name)
    {
        PersistentBitmap bitmap = bitmaps.FirstOrDefault(b => b.Name == name) ?? throw NotFound(metadata.File.Name, name);
        return bitmap.IsInconsistent
            ? throw Inconsistent(metadata.File.Name, name)
            : BitmapContent.Load(metadata.File, metadata.Header, metadata.Layout, bitmap).Ranges();
    }

    public static ImageException NotFound(string file, string name) => new(ImageErrorKind.NotFound, file, $"Dirty bitmap '{name}' not found");

    public static ImageException Inconsistent(string file, string name) => new(ImageErrorKind.Corrupt, file, $"Bitmap '{name}' is inconsistent and cannot be used")
    {
        Hint = "Try block-dirty-bitmap-remove to delete this bitmap from disk",
    };
}
