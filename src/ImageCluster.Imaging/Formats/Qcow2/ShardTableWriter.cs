using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// The tables of a shard that is merged into an image beside others. A table is copied into the shard's room when its first entry changes, as if a snapshot shared
/// it; L1 table, refcounts and header stay as they are in the file. A crash at any instant leaves what was there.
/// </summary>
internal sealed class ShardTableWriter : TableWriter
{
    private readonly Metadata _metadata;
    private readonly Layout _layout;

    public ShardTableWriter(Metadata metadata, IRoom room)
        : base(metadata, (image, refcounts) => new ShardAllocator(image, refcounts, room))
    {
        _metadata = metadata;
        _layout = metadata.Layout;
        // In memory alone: no table of the image may be changed where it stands.
        foreach (ref ulong entry in metadata.L1.AsSpan())
        {
            entry &= ~Layout.CopiedFlag;
        }
    }

    /// <summary>Host offsets of the tables that were made, in guest order, 0 for one that was not; null where none was.</summary>
    /// <param name="start">Guest offset of the first, bytes; a multiple of what a table maps.</param>
    /// <param name="length">Bytes of the guest's disk, likewise.</param>
    public ShardManifest? Manifest(long shard, long start, long length)
    {
        if (ChangedEntries.Count == 0)
        {
            return null;
        }

        int first = _layout.L1Index(start);
        long[] tables = new long[Math.Min(length >> _layout.L2TableShift, _metadata.L1.Length - first)];
        foreach (int index in ChangedEntries)
        {
            if (index < first || index - first >= tables.Length)
            {
                throw new InvalidOperationException($"The table with L1 index {index} is of another shard.");
            }

            tables[index - first] = (long)(_metadata.L1[index] & Layout.OffsetMask);
        }

        IReadOnlyList<RoomExtent> taken = ((ShardAllocator)Allocator).Taken;
        long tableBytes = (long)ChangedEntries.Count << _layout.ClusterBits;
        return new ShardManifest(shard, tables, taken, taken.Sum(room => room.Length) - tableBytes);
    }

    public override void BeginAllocating()
    {
        // Nothing is counted, so nothing is postponed.
    }

    public override void Flush()
    {
        Commit();
        Guard(FlushFiles);
    }

    public override void Finish()
    {
        // What was not flushed was not wanted; nothing refers to it.
    }

    protected override void BeginWriting()
    {
        // The mark that shards are being merged stays.
    }

    protected override void CommitOrdered() => WriteTables();

    protected override void Replaced(long offset)
    {
        // The file still refers to the table: neither is it free, nor may anything be written there.
    }
}
