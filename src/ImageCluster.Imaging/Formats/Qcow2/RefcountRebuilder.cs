using System.Buffers.Binary;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Writes refcount blocks and table anew from the references that were counted, into room that nobody refers to, and lets the header point
/// to them. The old ones leak, which the check that follows finds.
/// </summary>
internal sealed class RefcountRebuilder(Metadata metadata, ReferenceCounts counts)
{
    private readonly Layout _layout = metadata.Layout;

    // The new table: the blocks' offsets.
    private ulong[] _table = [];

    public void Run()
    {
        bool grown = WriteBlocks(0, counts.Clusters);
        long offset = metadata.Header.RefcountTableOffset;
        long clusters = 0;

        // Room for the table changes counts, which may take another block, which may take a longer table: until it stays.
        while (grown)
        {
            clusters = ((long)_table.Length * sizeof(ulong)) >> _layout.ClusterBits;
            long firstFree = 0;
            long first = counts.Take(clusters, ref firstFree);
            offset = first << _layout.ClusterBits;
            grown = WriteBlocks(first, first + clusters);
        }

        if (clusters << _layout.ClusterBits > Header.MaxRefcountTableBytes)
        {
            throw new ImageException(ImageErrorKind.Limit, metadata.File.Name, "ERROR allocating reftable: File too large") { Errno = Errno.FBig };
        }

        WriteTable(offset);
        metadata.File.Flush();
        HeaderPatch.WriteRefcountTable(metadata.File, offset, (int)clusters);
        metadata.File.Flush();
        metadata.Header = metadata.Header with { RefcountTableOffset = offset, RefcountTableClusters = (int)clusters };
    }

    // Writes the blocks that describe clusters in use in [first, end). True where the table had to grow.
    private bool WriteBlocks(long first, long end)
    {
        bool grown = false;
        long firstFree = 0;
        byte[] block = new byte[_layout.ClusterSize];
        for (long used = counts.NextUsed(first, end); used < end;)
        {
            long index = used >> _layout.RefcountBlockBits;
            long start = index << _layout.RefcountBlockBits;
            grown |= EnsureTable(index);
            if (_table[index] == 0)
            {
                // Not in the range of a block that is written already.
                firstFree = Math.Max(firstFree, start);
                long place = counts.Take(1, ref firstFree);
                end = Math.Max(end, place + 1);
                _table[index] = (ulong)place << _layout.ClusterBits;
            }

            Fill(block, start);
            metadata.File.Write((long)_table[index], block);
            used = counts.NextUsed(start + _layout.RefcountBlockEntries, end);
        }

        return grown;
    }

    private bool EnsureTable(long index)
    {
        if (index < _table.Length)
        {
            return false;
        }

        int perCluster = _layout.ClusterSize / sizeof(ulong);
        long entries = (index / perCluster + 1) * perCluster;
        if (entries * sizeof(ulong) > 2 * Header.MaxRefcountTableBytes)
        {
            throw new ImageException(ImageErrorKind.Limit, metadata.File.Name, "ERROR allocating reftable: File too large") { Errno = Errno.FBig };
        }

        Array.Resize(ref _table, (int)entries);
        return true;
    }

    private void Fill(byte[] block, long start)
    {
        block.AsSpan().Clear();
        long end = start + _layout.RefcountBlockEntries;
        for (long cluster = counts.NextUsed(start, end); cluster < end; cluster = counts.NextUsed(cluster + 1, end))
        {
            RefcountArray.Set(block, _layout.RefcountOrder, (int)(cluster - start), counts[cluster]);
        }
    }

    private void WriteTable(long offset)
    {
        byte[] bytes = new byte[_table.Length * sizeof(ulong)];
        for (int i = 0; i < _table.Length; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(i * sizeof(ulong)), _table[i]);
        }

        metadata.File.Write(offset, bytes);
    }
}
