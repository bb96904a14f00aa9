namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A layer that holds persistent bitmaps (dirty bitmaps saved in the image).</summary>
public interface IBitmaps
{
    /// <summary>False where this image's version of the format has none.</summary>
    bool SupportsBitmaps { get; }

    IReadOnlyList<ImageBitmap> ListBitmaps();

    /// <summary>The guest ranges whose bits are set, in order, in bytes; each a multiple of the granularity except where the disk ends.</summary>
    /// <exception cref="ImageException">There is no such bitmap, or it is inconsistent.</exception>
    IEnumerable<(long Offset, long Length)> ReadBitmap(string name);
}

/// <summary>A persistent bitmap.</summary>
/// <param name="Name">1 to 1,023 bytes.</param>
/// <param name="Granularity">Guest bytes that a bit stands for: a power of two from 512 to 2 GiB.</param>
/// <param name="IsEnabled">It records writes.</param>
/// <param name="IsInconsistent">It was in use when the image was last closed: its content is not to be trusted, and all one can do is remove it.</param>
public sealed record ImageBitmap(string Name, long Granularity, bool IsEnabled, bool IsInconsistent);

/// <summary>
/// A layer, open for writing, whose persistent bitmaps can be changed. All edits since the last flush are stored as one, by the next
/// flush or when the layer is closed; bitmaps that are enabled record what is written to the layer.
/// </summary>
/// <exception cref="ImageException">
/// Of all members. There is no such bitmap (NotFound), or one already (Exists); it is inconsistent (Corrupt); a name or granularity is wrong
/// (InvalidArgument); the format has no room for it (Limit, Unsupported).
/// </exception>
public interface IBitmapEditor : IBitmaps
{
    /// <param name="name">1 to 1,023 bytes.</param>
    /// <param name="granularity">Bytes, a power of two from 512 to 2 GiB, or 0 for what the format prefers.</param>
    /// <param name="enabled">It records writes.</param>
    void AddBitmap(string name, long granularity, bool enabled);

    void RemoveBitmap(string name);

    /// <summary>Clears all bits.</summary>
    void ClearBitmap(string name);

    void EnableBitmap(string name, bool enabled);

    /// <summary>Sets the bits of guest ranges (bytes; any alignment: every bit that a range touches is set).</summary>
    void MarkBitmap(string name, IEnumerable<(long Offset, long Length)> ranges);
}
