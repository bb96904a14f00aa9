namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>A table of equal entries in an image file.</summary>
/// <param name="Name">What it is, for messages: "block map", "L2 table".</param>
/// <param name="Offset">Where it starts in the file, bytes.</param>
/// <param name="Count">Entries, 0 or more.</param>
/// <param name="EntrySize">Bytes of an entry: 4 or 8.</param>
/// <param name="BigEndian">How an entry stands in the file.</param>
internal readonly record struct EntryTable(string Name, long Offset, long Count, int EntrySize, bool BigEndian = false)
{
    /// <summary>Bytes.</summary>
    public long Length => Count * EntrySize;
}
