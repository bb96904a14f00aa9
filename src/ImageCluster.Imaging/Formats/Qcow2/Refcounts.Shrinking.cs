using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Blocks that count nothing any more are given back, as QEMU does when a disk becomes smaller.</content>
internal sealed partial class Refcounts
{
    /// <summary>
    /// Takes the blocks that count nothing but themselves out of the table, and then their clusters out of the blocks that count them. All counts must be in the
    /// file before; the blocks that change are left to <see cref="Write"/>.
    /// </summary>
    /// <exception cref="ImageException">The table names a block that stands where none can; the image is marked.</exception>
    public void DropEmptyBlocks()
    {
        List<int> empty = [.. Enumerable.Range(0, _table.Length).Where(index => _table[index] != 0 && IsEmpty(index))];
        if (empty.Count == 0)
        {
            return;
        }

        Broken = true;
        ulong[] table = [.. _table];
        empty.ForEach(index => table[index] = 0);
        WriteTable(table, _metadata.Header.RefcountTableOffset);
        _metadata.File.Flush();
        empty.ForEach(Drop);
        Broken = false;
    }

    private bool IsEmpty(int index)
    {
        long offset = (long)(_table[index] & TableOffsetMask);
        if (!_layout.IsClusterAligned(offset))
        {
            throw _metadata.Signal($"Cannot get entry from refcount block cache: Offset 0x{offset:x} is unaligned");
        }

        if (offset < 0)
        {
            throw new ImageException(ImageErrorKind.Io, _metadata.File.Name, $"Refcount block {index} lies beyond what a file can hold") { Errno = Errno.IO };
        }

        ReadOnlySpan<byte> block = _blocks.Get(offset);
        int entries = 1 << _blockBits;
        int own = offset >> _layout.ClusterBits >> _blockBits == index ? IndexInBlock(offset >> _layout.ClusterBits) : entries;
        return RefcountArray.IndexOfNonzero(block, _layout.RefcountOrder, 0, own) == own
            && (own == entries || RefcountArray.IndexOfNonzero(block, _layout.RefcountOrder, own + 1, entries) == entries);
    }

    private void Drop(int index)
    {
        long offset = (long)(_table[index] & TableOffsetMask);
        long cluster = offset >> _layout.ClusterBits;
        long counting = cluster >> _blockBits;
        if (counting >= _table.Length || _table[counting] == 0)
        {
            throw _metadata.Signal($"Refblock at 0x{offset:x} is not covered by the refcount structures");
        }

        ulong references = Get(cluster);
        if (references != 1)
        {
            throw _metadata.Signal($"Invalid refcount: refblock offset 0x{_table[counting] & TableOffsetMask:x}, reftable index {counting}, block offset 0x{offset:x}, refcount 0x{references:x}");
        }

        Set(cluster, 0);
        _table[index] = 0;
        _blocks.Forget(offset);
        _blockOffsets?.Remove(offset);
    }
}
