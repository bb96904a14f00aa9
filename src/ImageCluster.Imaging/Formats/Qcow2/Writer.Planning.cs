namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>What is to be done with a write: in place, into room that clusters have, into new room, or a part of a cluster.</content>
internal sealed partial class WritableQcow2Image
{
    private enum Target
    {
        /// <summary>The clusters' own room: nothing to publish.</summary>
        InPlace,

        /// <summary>Whole clusters into room that they have but do not use.</summary>
        Existing,

        /// <summary>Whole clusters into new room.</summary>
        New,

        /// <summary>A part of one cluster, the rest of which must be filled up.</summary>
        Part,
    }

    // What to do with the start of a write, and room for it where it needs some.
    private Plan MakePlan(long offset, int length)
    {
        int l1Index = _layout.L1Index(offset);
        int index = _layout.L2Index(offset);
        int inCluster = _layout.OffsetInCluster(offset);
        length = (int)Math.Min(length, ((long)(l1Index + 1) << _layout.L2TableShift) - offset);
        L2Table? table = Tables.Find(l1Index);
        ClusterEntry first = EntryOf(table, index, offset);
        int part = Math.Min(length, _layout.ClusterSize - inCluster);
        uint touched = TouchedBits(inCluster, part);
        if (IsInPlace(first, touched))
        {
            int bytes = CountInPlace(table!, index, first.Host, inCluster, length);
            CheckFree(first.Host, inCluster + bytes);
            return new Plan(Target.InPlace, first.Host + inCluster, bytes);
        }

        if (part < _layout.ClusterSize)
        {
            long own = first.IsWritable ? CheckFree(first.Host, _layout.ClusterSize) : ReserveFor(l1Index, offset - inCluster, 1);
            return new Plan(Target.Part, own, part) { Old = first, Clusters = 1, IsNewRoom = !first.IsWritable, Touched = touched };
        }

        bool existing = first.IsWritable;
        int clusters = CountAlike(table, index, first, length >> _layout.ClusterBits, offset);
        long host = existing ? CheckFree(first.Host, (long)clusters << _layout.ClusterBits) : ReserveFor(l1Index, offset, clusters);
        return new Plan(existing ? Target.Existing : Target.New, host, clusters << _layout.ClusterBits)
        {
            Clusters = clusters,
            IsNewRoom = !existing,
        };
    }

    private ClusterEntry EntryOf(L2Table? table, int index, long offset)
    {
        ClusterEntry entry = table is null ? ClusterEntry.Absent : ClusterEntry.Read(table, index, Metadata);
        return entry.Host < 0 || _layout.IsClusterAligned(entry.Host)
            ? entry
            : throw Metadata.Signal($"{(entry.Allocated == 0 ? "Preallocated zero" : "Data")} cluster offset 0x{entry.Host:x} unaligned (guest offset: 0x{offset:x})");
    }

    private static bool IsInPlace(in ClusterEntry entry, uint touched) => entry.IsWritable && (entry.Allocated & touched) == touched;

    // Bytes from inCluster on that stand in place and contiguous in the file.
    private int CountInPlace(L2Table table, int index, long host, int inCluster, int length)
    {
        int bytes = _layout.ClusterSize - inCluster;
        while (bytes < length)
        {
            ClusterEntry next = ClusterEntry.Read(table, ++index, Metadata);
            host += _layout.ClusterSize;
            if (next.Host != host || !IsInPlace(next, TouchedBits(0, Math.Min(length - bytes, _layout.ClusterSize))))
            {
                break;
            }

            bytes += _layout.ClusterSize;
        }

        return Math.Min(bytes, length);
    }

    // Whole clusters from one on that need the same: new room, or contiguous room that they have.
    private int CountAlike(L2Table? table, int index, in ClusterEntry first, int most, long offset)
    {
        if (table is null)
        {
            return most;
        }

        int count = 1;
        while (count < most)
        {
            ClusterEntry next = EntryOf(table, index + count, offset + ((long)count << _layout.ClusterBits));
            bool alike = first.IsWritable
                ? next.IsWritable && next.Host == first.Host + ((long)count << _layout.ClusterBits) && next.Allocated != ClusterEntry.AllBits(_layout)
                : !next.IsWritable;
            if (!alike)
            {
                break;
            }

            count++;
        }

        return count;
    }

    // Room that an entry names is no better than the image: it must not be metadata.
    private long CheckFree(long host, long length)
    {
        if (!Metadata.HasDataFile)
        {
            Tables.CheckFree(host, length);
        }

        return host;
    }

    // The table is opened first, as QEMU does: it stands before the data in the file. In an external data file every cluster has its place.
    private long ReserveFor(int l1Index, long guestCluster, int clusters)
    {
        _ = Tables.Open(l1Index);
        if (!Metadata.HasDataFile)
        {
            return Tables.Allocate(clusters);
        }

        Tables.Allocator.KeepData(guestCluster, clusters);
        return guestCluster;
    }

    private uint TouchedBits(int inCluster, int length)
    {
        int first = inCluster >> _layout.SubclusterBits;
        int last = (inCluster + length - 1) >> _layout.SubclusterBits;
        return (uint)(((1UL << (last - first + 1)) - 1) << first);
    }

    private readonly record struct Plan(Target Target, long Host, int Length)
    {
        /// <summary>For a part: what the cluster was.</summary>
        public ClusterEntry Old { get; init; }

        public int Clusters { get; init; }

        public bool IsNewRoom { get; init; }

        /// <summary>For a part: the subclusters that are written.</summary>
        public uint Touched { get; init; }
    }
}
