namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>A format's only table: which block of the guest stands where in the file. Safe from any number of threads.</summary>
internal interface IBlockMap
{
    /// <summary>Guest bytes that one entry covers.</summary>
    long BlockSize { get; }

    BlockPlace Find(long block);
}

/// <summary>A block map that can take blocks in.</summary>
internal interface IWritableBlockMap : IBlockMap
{
    /// <summary>
    /// Says where a block may be written, bytes: its place or, where it has none, a new one that reads as zeros. Called before every
    /// change of a block's data.
    /// </summary>
    long Claim(long block);

    /// <summary>
    /// True where so much changed that the layer should write back of its own accord: what changed is kept in memory.
    /// </summary>
    bool WantsWriteBack { get; }

    /// <summary>Writes what changed. Called when the data that it points to is durable; leaves the file flushed.</summary>
    void WriteBack();
}
