using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Zeroing and dropping clusters.</content>
internal sealed partial class WritableQcow2Image
{
    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        CheckRange(offset, length);
        EnterShared();
        try
        {
            long end = offset + length;
            long from = Math.Min(end, RoundUp(offset, _layout.SubclusterSize));
            long to = end == VirtualSize ? end : Math.Max(from, end & -_layout.SubclusterSize);
            WriteZeroBytes(offset, from - offset);
            if (Metadata.Header.Version < 3 && Backing is null)
            {
                // There is no entry that says zero, but what nobody has is zeros too.
                ForEachTable(from, to, DropEntries);
            }
            else if (Metadata.Header.Version < 3)
            {
                // There is no entry that says zero: room is taken, but the storage may make it a hole.
                WriteZeroBytes(from, to - from);
            }
            else
            {
                if (Metadata.HasDataFile && Metadata.Header.IsDataFileRaw && to > from)
                {
                    // Before the tables: who reads the data file alone is never behind them.
                    Metadata.DataFile.WriteZeroes(from, to - from, mode);
                }

                ForEachTable(from, to, (l1Index, start, stop) => ZeroEntries(l1Index, start, stop, mode));
            }

            WriteZeroBytes(to, end - to);
        }
        finally
        {
            ExitShared();
        }
    }

    public void Discard(long offset, long length)
    {
        CheckRange(offset, length);
        EnterShared();
        try
        {
            long end = offset + length;
            long from = RoundUp(offset, _layout.ClusterSize);
            long to = end == VirtualSize ? end : end & -_layout.ClusterSize;
            ForEachTable(from, to, DropEntries);
        }
        finally
        {
            ExitShared();
        }
    }

    private delegate void TableAction(int l1Index, long from, long to);

    // One table's range at a time, each under the lock for itself.
    private void ForEachTable(long from, long to, TableAction action)
    {
        while (from < to)
        {
            int l1Index = _layout.L1Index(from);
            long stop = Math.Min(to, (long)(l1Index + 1) << _layout.L2TableShift);
            lock (_gate)
            {
                Tables.Begin(from, stop - from);
                action(l1Index, from, stop);
            }

            from = stop;
        }
    }

    private void ZeroEntries(int l1Index, long from, long to, ZeroMode mode)
    {
        ChangeEntries(l1Index, from, to, (in ClusterEntry entry, uint touched) =>
        {
            bool whole = touched == ClusterEntry.AllBits(_layout);
            if (entry.IsCompressed && !whole)
            {
                return null;
            }

            bool keepsRoom = entry.Host >= 0 && (!whole || mode == ZeroMode.KeepAllocated);
            return !keepsRoom && whole
                ? ClusterEntry.PlainZero(_layout)
                : entry.WithBits(entry.Allocated & ~touched, entry.Zero | touched, _layout);
        });
    }

    private void DropEntries(int l1Index, long from, long to)
    {
        if (Tables.Find(l1Index) is not null)
        {
            ChangeEntries(l1Index, from, to, static (in ClusterEntry _, uint _) => ClusterEntry.Absent);
        }
    }

    // What becomes of an entry of which the given subclusters are touched; null where that takes a write of zeros.
    private delegate ClusterEntry? EntryChange(in ClusterEntry entry, uint touched);

    // Stores what the change makes of each entry, frees room that it no longer names, and leaves the table alone where nothing changes.
    private void ChangeEntries(int l1Index, long from, long to, EntryChange change)
    {
        L2Table? open = null;
        L2Table? seen = Tables.Find(l1Index);
        for (long at = from; at < to;)
        {
            int index = _layout.L2Index(at);
            int inCluster = _layout.OffsetInCluster(at);
            int part = (int)Math.Min(_layout.ClusterSize - inCluster, to - at);
            bool reachesEnd = at + part == VirtualSize;
            uint touched = TouchedBits(inCluster, reachesEnd ? _layout.ClusterSize - inCluster : part);
            ClusterEntry old = EntryOf(seen, index, at);
            if (change(old, touched) is not { } changed)
            {
                WriteZeroBytes(at, part);
                open = null;
                seen = Tables.Find(l1Index);
            }
            else if (changed != old)
            {
                seen = open ??= Tables.Open(l1Index);
                if (changed.Host < 0)
                {
                    Free(old, discard: true);
                }

                changed.Store(open, index, _layout);
                Tables.Changed(open, index, 1);
            }

            at += part;
        }
    }

    private void WriteZeroBytes(long offset, long length)
    {
        while (length > 0)
        {
            // Up to a border, so that whole clusters follow.
            int most = 1 << 30;
            int done = WriteSome(offset, (int)Math.Min(length, most - (offset & (_layout.ClusterSize - 1))), []);
            offset += done;
            length -= done;
        }
    }

    private static long RoundUp(long value, int unit) => (value + unit - 1) & -unit;
}
