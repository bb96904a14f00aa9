using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Blocks and a table for clusters that none describes yet. Whatever the instant of a crash, the header names a table that is whole.</content>
internal sealed partial class Refcounts
{
    // Makes sure that blocks describe the clusters; false where one had to be made.
    private bool Cover(long first, long count)
    {
        for (long index = first >> _blockBits; index <= (first + count - 1) >> _blockBits; index++)
        {
            if (BlockOffset(index) == 0)
            {
                AddBlock(index, Math.Max(first, index << _blockBits));
                return false;
            }
        }

        return true;
    }

    private void AddBlock(long index, long cluster)
    {
        _metadata.File.Tell("refblock_alloc");
        long place = FindFree(1, long.MaxValue);
        if (place == 0)
        {
            throw _metadata.Signal("Preventing invalid allocation of refcount block at offset 0");
        }

        bool describesItself = place >> _blockBits == index;
        if (!describesItself && !TryIncrease(place, 1))
        {
            _firstFree = Math.Min(_firstFree, place);
            return;
        }

        long offset = place << _layout.ClusterBits;
        try
        {
            Overlap.Require(offset, _layout.ClusterSize);
            Span<byte> block = _blocks.Add(offset);
            if (describesItself)
            {
                RefcountArray.Set(block, _layout.RefcountOrder, IndexInBlock(place), 1);
            }

            _metadata.File.Tell("refblock_alloc_write");
            _blocks.WriteChanged();
        }
        catch
        {
            // Nothing points to it: it must not be written later over what may stand there then.
            _blocks.Forget(offset);
            if (!describesItself)
            {
                Decrease(place);
            }

            throw;
        }

        Broken = true;
        _metadata.File.Flush();
        if (index < Capacity)
        {
            LinkBlock(index, offset);
        }
        else
        {
            GrowTable(index, cluster, place);
        }

        _blockOffsets?.Add(offset);
        Broken = false;
    }

    private void LinkBlock(long index, long offset)
    {
        Span<byte> entry = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteInt64BigEndian(entry, offset);
        _metadata.File.Tell("refblock_alloc_hookup");
        _metadata.File.Write(_metadata.Header.RefcountTableOffset + (index * sizeof(ulong)), entry);
        _metadata.File.Flush();
        EnsureLength(index + 1);
        _table[index] = (ulong)offset;
    }

    private void EnsureLength(long entries)
    {
        if (_table.Length < entries)
        {
            Array.Resize(ref _table, (int)Math.Min(Capacity, Math.Max(entries, _table.Length * 2L)));
        }
    }

    // A larger table, and blocks that describe it and themselves, behind everything that a block could describe so far; with room for half as much again.
    private void GrowTable(long newIndex, long cluster, long newBlock)
    {
        _metadata.File.Tell("reftable_grow");
        long area = (Math.Max(Math.Max(cluster, newBlock), _keptEnd - 1) >> _blockBits) + 1;
        long start = area << _blockBits;
        long blocks = RefcountMath.Needed(_layout, start, generous: true).Blocks;
        int perTableCluster = _layout.ClusterSize / sizeof(ulong);
        long tableClusters = RefcountMath.DivideUp(blocks + RefcountMath.DivideUp(blocks, 2), perTableCluster);
        if (tableClusters << _layout.ClusterBits > Header.MaxRefcountTableBytes)
        {
            throw new ImageException(ImageErrorKind.NoSpace, _metadata.File.Name, "File too large") { Errno = Errno.FBig };
        }

        ulong[] table = new ulong[tableClusters * perTableCluster];
        _table.AsSpan().TrimEnd(0UL).CopyTo(table);
        table[newIndex] = (ulong)newBlock << _layout.ClusterBits;
        int added = table.AsSpan((int)area, (int)(blocks - area)).Count(0UL);
        long tableStart = start + added;
        long end = tableStart + tableClusters;
        Overlap.Require(start << _layout.ClusterBits, (end - start) << _layout.ClusterBits);
        long place = start;
        for (long i = area; i < blocks; i++)
        {
            if (table[i] == 0)
            {
                table[i] = (ulong)place << _layout.ClusterBits;
                _blockOffsets?.Add(place << _layout.ClusterBits);
                _blocks.Add(place++ << _layout.ClusterBits);
            }

            long from = Math.Max(start, i << _blockBits);
            long to = Math.Min(end, (i + 1) << _blockBits);
            for (long used = from; used < to; used++)
            {
                SetIn(table[i], used);
            }
        }

        _metadata.File.Tell("refblock_alloc_write_blocks");
        _blocks.WriteChanged();
        _metadata.File.Tell("refblock_alloc_write_table");
        WriteTable(table, tableStart << _layout.ClusterBits);
        _metadata.File.Flush();
        SwitchTable(table, tableStart << _layout.ClusterBits, (int)tableClusters);
    }

    private void SetIn(ulong blockOffset, long cluster)
    {
        int index = IndexInBlock(cluster);
        RefcountArray.Set(_blocks.Change((long)blockOffset, 0, _layout.ClusterSize), _layout.RefcountOrder, index, 1);
    }

    private void WriteTable(ulong[] table, long offset)
    {
        byte[] bytes = new byte[table.Length * sizeof(ulong)];
        for (int i = 0; i < table.Length; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(i * sizeof(ulong)), table[i]);
        }

        _metadata.File.Write(offset, bytes);
    }

    private void SwitchTable(ulong[] table, long offset, int clusters)
    {
        Header old = _metadata.Header;
        _metadata.File.Tell("refblock_alloc_switch_table");
        HeaderPatch.WriteRefcountTable(_metadata.File, offset, clusters);
        _metadata.File.Flush();
        _table = table;
        _metadata.Header = old with { RefcountTableOffset = offset, RefcountTableClusters = clusters };
        for (int i = 0; i < old.RefcountTableClusters; i++)
        {
            Decrease((old.RefcountTableOffset >> _layout.ClusterBits) + i);
        }
    }
}
