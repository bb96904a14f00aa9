using System.Buffers;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Writes the refcount structures of a new image: every refcount block, then the table. Memory is one block and the table.</summary>
internal static class RefcountWriter
{
    /// <param name="file">The image's file.</param>
    /// <param name="layout">Its geometry.</param>
    /// <param name="blocks">Refcount blocks: index in the table, host cluster.</param>
    /// <param name="table">First host cluster of the refcount table.</param>
    /// <param name="tableClusters">Its clusters.</param>
    /// <param name="once">The host clusters that are referred to once.</param>
    /// <param name="shared">
    /// Adds, to a refcount block (first argument: index in the table), what is referred to more often; null where nothing is.
    /// </param>
    public static void Write(
        IBlockFile file,
        Layout layout,
        IReadOnlyDictionary<long, long> blocks,
        long table,
        long tableClusters,
        ClusterRanges once,
        RefcountAdder? shared = null)
    {
        byte[] block = ArrayPool<byte>.Shared.Rent(layout.ClusterSize);
        ulong[] entries = new ulong[tableClusters << (layout.ClusterBits - 3)];
        foreach ((long index, long cluster) in blocks)
        {
            Span<byte> counts = block.AsSpan(0, layout.ClusterSize);
            counts.Clear();
            FillOnce(counts, layout, index, once);
            shared?.Invoke(index, counts);
            file.Write(cluster << layout.ClusterBits, counts);
            entries[index] = L2Table.FromRaw((ulong)cluster << layout.ClusterBits);
        }

        ArrayPool<byte>.Shared.Return(block);
        file.Write(table << layout.ClusterBits, MemoryMarshal.AsBytes(entries.AsSpan()));
    }

    private static void FillOnce(Span<byte> block, Layout layout, long index, ClusterRanges once)
    {
        long first = index << layout.RefcountBlockBits;
        long end = first + layout.RefcountBlockEntries;
        IReadOnlyList<(long Start, long End)> ranges = once.Ranges;
        for (int i = once.FirstEndingAtOrBehind(first + 1); i < ranges.Count && ranges[i].Start < end; i++)
        {
            FillOnes(block, layout.RefcountOrder, (int)(Math.Max(ranges[i].Start, first) - first), (int)(Math.Min(ranges[i].End, end) - first));
        }
    }

    // The refcounts from one index to the one before another become 1; they were 0.
    private static void FillOnes(Span<byte> block, int order, int from, int to)
    {
        switch (order)
        {
            case 3:
                block[from..to].Fill(1);
                break;
            case 4:
                MemoryMarshal.Cast<byte, ushort>(block)[from..to].Fill(BitConverter.IsLittleEndian ? (ushort)0x0100 : (ushort)1);
                break;
            case 5:
                MemoryMarshal.Cast<byte, uint>(block)[from..to].Fill(BitConverter.IsLittleEndian ? 0x0100_0000U : 1U);
                break;
            case 6:
                MemoryMarshal.Cast<byte, ulong>(block)[from..to].Fill(L2Table.FromRaw(1));
                break;
            default:
                int perByte = 8 >> order;
                byte ones = order switch { 0 => 0xFF, 1 => 0x55, _ => 0x11 };
                for (; from < to && from % perByte != 0; from++)
                {
                    RefcountArray.Set(block, order, from, 1);
                }

                int whole = (to - from) / perByte;
                block.Slice(from / perByte, Math.Max(0, whole)).Fill(ones);
                for (from += Math.Max(0, whole) * perByte; from < to; from++)
                {
                    RefcountArray.Set(block, order, from, 1);
                }

                break;
        }
    }
}

/// <summary>Adds counts to the refcount block of an index.</summary>
internal delegate void RefcountAdder(long index, Span<byte> block);
