namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>The block map of an image without one: the guest's bytes stand in the file one after the other.</summary>
/// <param name="blockSize">Guest bytes that are looked at as one.</param>
/// <param name="start">Host offset of the guest's first byte.</param>
internal sealed class FixedBlockMap(long blockSize, long start) : IWritableBlockMap
{
    public long BlockSize => blockSize;

    public bool WantsWriteBack => false;

    public BlockPlace Find(long block) => BlockPlace.Data(Claim(block));

    public long Claim(long block) => start + block * blockSize;

    public void WriteBack()
    {
    }
}
