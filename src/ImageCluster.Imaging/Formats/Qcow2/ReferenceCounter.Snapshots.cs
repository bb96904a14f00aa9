using ImageCluster.Imaging.Formats.BlockTables;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Tables of snapshots.</content>
internal sealed partial class ReferenceCounter
{
    private List<Snapshot> SoundSnapshots()
    {
        List<Snapshot> sound = [];
        foreach (Snapshot snapshot in Snapshots)
        {
            if (!_metadata.Layout.IsClusterAligned(snapshot.L1Offset))
            {
                _report.Corrupt(1, $"ERROR snapshot {snapshot.Id} ({snapshot.Name}) l1_offset=0x{snapshot.L1Offset:x}: L1 table is not cluster aligned; snapshot table entry corrupted");
            }
            else if (snapshot.L1Entries > Header.MaxL1Bytes / TableEntryLength)
            {
                _report.Corrupt(1, $"ERROR snapshot {snapshot.Id} ({snapshot.Name}) l1_size=0x{snapshot.L1Entries:x}: L1 table is too large; snapshot table entry corrupted");
            }
            else if (IsReadable(snapshot.L1Offset, snapshot.L1Entries * (long)TableEntryLength))
            {
                sound.Add(snapshot);
            }
            else
            {
                _unreadable = snapshot;
                break;
            }
        }

        return sound;
    }

    // What lies beyond what a file can have is no hole but an error, and the check ends there.
    private static bool IsReadable(long offset, long length) => length == 0 || (ulong)offset <= (ulong)(Header.MaxFileLength - length);

    private bool FailAtSnapshot(Snapshot snapshot)
    {
        _report.CheckErrors++;
        bool failed = FailBeyond(snapshot.L1Offset, snapshot.L1Entries * (long)TableEntryLength);
        if (_report.Failure == InputOutputError)
        {
            _report.Say("ERROR: I/O error in check_refcounts_l1");
        }

        return failed;
    }

    private bool CountSnapshots(List<Snapshot> sound)
    {
        if (_metadata.HasDataFile && Snapshots.Count > 0)
        {
            _report.Corrupt(1, $"ERROR {Snapshots.Count} snapshots in image with data file");
        }

        CountL1Tables(sound);
        foreach ((ulong entry, uint times, _) in Census!.Inactive)
        {
            if (!CheckL1Entry(entry, times, active: false))
            {
                return false;
            }
        }

        if (_unreadable is not null)
        {
            return FailAtSnapshot(_unreadable);
        }

        Count(_metadata.Header.SnapshotsOffset, SnapshotTableLength);
        return true;
    }

    // Tables that overlap are counted together, so that many that claim one place take no longer than one.
    private void CountL1Tables(List<Snapshot> snapshots)
    {
        SortedDictionary<long, int> changes = [];
        foreach (Snapshot snapshot in snapshots)
        {
            long length = snapshot.L1Entries * (long)TableEntryLength;
            if (length > 0 && IsInFile(snapshot.L1Offset, length, 1))
            {
                long end = (snapshot.L1Offset + length + _metadata.Layout.ClusterSize - 1) & -_metadata.Layout.ClusterSize;
                changes[snapshot.L1Offset] = changes.GetValueOrDefault(snapshot.L1Offset) + 1;
                changes[end] = changes.GetValueOrDefault(end) - 1;
            }
        }

        long start = 0;
        uint depth = 0;
        foreach ((long at, int change) in changes)
        {
            if (depth > 0)
            {
                CountClusters(start, at - start, depth);
            }

            start = at;
            depth = (uint)(depth + change);
        }
    }
}
