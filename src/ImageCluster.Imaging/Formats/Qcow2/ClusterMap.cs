using System.Numerics;
using ImageCluster.Imaging.Extents;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Answers what stands at a guest offset, from an L1 table and the L2 tables below it. The checks of entries and their words are QEMU's
/// (qcow2_get_host_offset).
/// </summary>
internal readonly struct ClusterMap(Metadata metadata, ulong[] l1)
{
    private readonly Layout _layout = metadata.Layout;

    /// <summary>An extent from <paramref name="offset"/> on, at most <paramref name="length"/> bytes long; see <see cref="IImageLayer.Map"/>.</summary>
    public Extent Find(long offset, long length)
    {
        int index = _layout.L1Index(offset);
        L2Table? table = TableOf(index);
        if (table is null)
        {
            return new Extent(offset, Math.Min(length, AbsentEnd(index, offset + length) - offset), ExtentKind.Absent);
        }

        // Within one table from here on.
        length = Math.Min(length, (long)(index + 1) * _layout.L2TableSpan - offset);
        return _layout.HasSubclusters ? FindExtended(table, offset, length) : FindStandard(table, offset, length);
    }

    /// <summary>The L2 entry (its first word) of the cluster at <paramref name="offset"/>, 0 where there is no table.</summary>
    public ulong EntryAt(long offset)
    {
        L2Table? table = TableOf(_layout.L1Index(offset));
        return table is null ? 0 : table[_layout.L2Index(offset) * _layout.L2EntryWords];
    }

    private L2Table? TableOf(int l1Index)
    {
        long tableOffset = l1Index < l1.Length ? (long)(l1[l1Index] & Layout.OffsetMask) : 0;
        if (tableOffset == 0)
        {
            return null;
        }

        if (!_layout.IsClusterAligned(tableOffset))
        {
            throw Corrupt(BadEntry.L2Table(tableOffset, l1Index));
        }

        return metadata.L2.Get(tableOffset);
    }

    // Guest offset of the next L1 entry that has a table; not looked for beyond the limit.
    private long AbsentEnd(int index, long limit)
    {
        int last = (int)Math.Min(l1.Length, (limit >> _layout.L2TableShift) + 1);
        for (index++; index < last; index++)
        {
            if ((l1[index] & Layout.OffsetMask) != 0)
            {
                return (long)index << _layout.L2TableShift;
            }
        }

        return limit;
    }

    private Extent FindStandard(L2Table table, long offset, long length)
    {
        int index = _layout.L2Index(offset);
        int inCluster = _layout.OffsetInCluster(offset);
        int count = (int)((inCluster + length + _layout.ClusterSize - 1) >> _layout.ClusterBits);
        ulong entry = table[index];
        ExtentKind kind = KindOf(entry, table, index);
        int run = 1;
        long host = -1;
        switch (kind)
        {
            case ExtentKind.Compressed:
                host = _layout.CompressedOffset(entry);
                break;
            case ExtentKind.Data:
            case ExtentKind.Zero when (entry & Layout.OffsetMask) != 0:
                host = HostOffset(entry, table, index, offset - inCluster) + inCluster;
                run = CountContiguous(table, index, count, entry);
                break;
            default:
                run = table.Raw.Slice(index, count).IndexOfAnyExcept(L2Table.FromRaw(entry));
                run = run < 0 ? count : run;
                break;
        }

        long bytes = Math.Min(length, ((long)run << _layout.ClusterBits) - inCluster);
        return new Extent(offset, bytes, kind, host < 0 ? null : metadata.DataFile, host);
    }

    private static int CountContiguous(L2Table table, int index, int count, ulong first)
    {
        const ulong Mask = Layout.OffsetMask | Layout.CompressedFlag | Layout.ZeroFlag;
        ReadOnlySpan<ulong> raw = table.Raw.Slice(index, count);
        ulong expected = first & Mask;
        ulong step = (ulong)table.Bytes.Length;
        int run = 1;
        while (run < raw.Length && (L2Table.FromRaw(raw[run]) & Mask) == (expected += step))
        {
            run++;
        }

        return run;
    }

    private ExtentKind KindOf(ulong entry, L2Table table, int index)
    {
        if ((entry & Layout.CompressedFlag) != 0)
        {
            return metadata.HasDataFile
                ? throw Corrupt($"Compressed cluster entry found in image with external data file ({BadEntry.At(table.HostOffset, index)})")
                : ExtentKind.Compressed;
        }

        if ((entry & Layout.ZeroFlag) != 0 && !_layout.HasSubclusters)
        {
            return metadata.Header.Version < 3
                ? throw Corrupt($"Zero cluster entry found in pre-v3 image ({BadEntry.At(table.HostOffset, index)})")
                : ExtentKind.Zero;
        }

        // Offset 0 is the header of an image, but the first cluster of an external data file.
        bool allocated = (entry & Layout.OffsetMask) != 0 || (metadata.HasDataFile && (entry & Layout.CopiedFlag) != 0);
        return allocated ? ExtentKind.Data : ExtentKind.Absent;
    }

    private long HostOffset(ulong entry, L2Table table, int index, long guestCluster)
    {
        long host = (long)(entry & Layout.OffsetMask);
        if (!_layout.IsClusterAligned(host))
        {
            throw Corrupt(BadEntry.Cluster(host, table.HostOffset, index));
        }

        if (metadata.HasDataFile && host != guestCluster)
        {
            throw Corrupt(BadEntry.DataFileCluster(host, guestCluster, index));
        }

        return host;
    }

    private Extent FindExtended(L2Table table, long offset, long length)
    {
        int index = _layout.L2Index(offset);
        int inCluster = _layout.OffsetInCluster(offset);
        int subcluster = inCluster >> _layout.SubclusterBits;
        Subclusters first = ReadExtended(table, index, offset - inCluster, subcluster);
        long host = first.Host < 0 ? -1 : first.Kind == ExtentKind.Compressed ? first.Host : first.Host + inCluster;
        long end = ((long)(subcluster + first.Run) << _layout.SubclusterBits) - inCluster;
        bool goesOn = subcluster + first.Run == Layout.SubclustersPerCluster && first.Kind != ExtentKind.Compressed;
        for (long cluster = offset - inCluster + _layout.ClusterSize; goesOn && end < length; cluster += _layout.ClusterSize)
        {
            Subclusters next = ReadExtended(table, ++index, cluster, 0);
            if (next.Kind != first.Kind || (first.Host < 0 ? next.Host >= 0 : next.Host != host + end))
            {
                break;
            }

            end += (long)next.Run << _layout.SubclusterBits;
            goesOn = next.Run == Layout.SubclustersPerCluster;
        }

        return new Extent(offset, Math.Min(length, end), first.Kind, host < 0 ? null : metadata.DataFile, host);
    }

    // What the subclusters from one on are, how many of them, and the host offset of their cluster (-1 where there is none).
    private Subclusters ReadExtended(L2Table table, int index, long guestCluster, int subcluster)
    {
        ulong entry = table[2 * index];
        ulong bitmap = table[(2 * index) + 1];
        uint allocated = (uint)bitmap;
        uint zero = (uint)(bitmap >> 32);
        ExtentKind kind = KindOf(entry, table, index);
        if (kind == ExtentKind.Compressed)
        {
            return new Subclusters(kind, Layout.SubclustersPerCluster - subcluster, _layout.CompressedOffset(entry));
        }

        if (kind == ExtentKind.Data ? (allocated & zero) != 0 : allocated != 0)
        {
            throw Corrupt($"Invalid cluster entry found  ({BadEntry.At(table.HostOffset, index)})");
        }

        long host = kind == ExtentKind.Data ? HostOffset(entry, table, index, guestCluster) : -1;
        uint bit = 1U << subcluster;
        (kind, uint same) = (allocated & bit) != 0 ? (ExtentKind.Data, allocated)
            : (zero & bit) != 0 ? (ExtentKind.Zero, zero)
            : (ExtentKind.Absent, ~(allocated | zero));
        int run = Math.Min(BitOperations.TrailingZeroCount(~(same >> subcluster)), Layout.SubclustersPerCluster - subcluster);
        return new Subclusters(kind, run, host);
    }

    private ImageException Corrupt(string message) => metadata.Signal(message);

    private readonly record struct Subclusters(ExtentKind Kind, int Run, long Host);
}
