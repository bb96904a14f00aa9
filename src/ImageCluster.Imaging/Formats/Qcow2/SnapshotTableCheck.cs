using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// The check of the snapshot table, in two steps as QEMU's: read it (and cut it to the limits) before the refcounts are checked, write it anew
/// where that is needed when they are right.
/// </summary>
internal sealed class SnapshotTableCheck(Metadata metadata, CheckReport report, CheckRepair repair)
{
    private const int RequiredExtraData = 16;

    private long _broken;

    private bool RepairsErrors => (repair & CheckRepair.Errors) != 0;

    public IReadOnlyList<Snapshot> Snapshots { get; private set; } = [];

    /// <summary>Bytes of the table in the file.</summary>
    public long Length { get; private set; }

    /// <summary>False: the check cannot go on, and the report says why.</summary>
    public bool Read()
    {
        Header header = metadata.Header;
        int beyond = header.SnapshotCount - Header.MaxSnapshots;
        int gone = 0;
        if (beyond > 0 && RepairsErrors)
        {
            report.Say($"Discarding {beyond} overhanging snapshots");
            gone = beyond;
            header = header with { SnapshotCount = Header.MaxSnapshots };
        }
        else if (beyond > 0)
        {
            return Fail("File too large", "ERROR snapshot table too large", $"You can force-remove all {beyond} overhanging snapshots with qemu-img check -r all");
        }

        if (header.SnapshotsOffset < 0 || !metadata.Layout.IsClusterAligned(header.SnapshotsOffset))
        {
            return Fail("Invalid argument", "ERROR snapshot table offset invalid");
        }

        if (!Load(header, ref gone))
        {
            return false;
        }

        if (gone > 0)
        {
            // Now, because the refcounts are checked by what the header says; the rest leaks, which they will find.
            header = header with { SnapshotCount = Snapshots.Count };
            HeaderPatch.WriteSnapshots(metadata.File, header.SnapshotCount, header.SnapshotsOffset);
            metadata.File.Flush();
            metadata.Header = header;
            report.CorruptionsFixed += gone;
        }

        FindIncomplete();
        return true;
    }

    /// <summary>Writes the table anew where entries of it were broken.</summary>
    public void Mend(Refcounts refcounts)
    {
        if (_broken > 0 && RepairsErrors)
        {
            SnapshotTableWriter.Write(metadata, refcounts, Snapshots, Length);
            report.CorruptionsFixed += _broken;
            report.Corruptions -= _broken;
            _broken = 0;
        }
    }

    private bool Load(Header header, ref int gone)
    {
        int lost = 0;
        Action<string, SnapshotLoss> dropped = (message, loss) =>
        {
            report.Say(message);
            _broken += loss.ExtraData;
            lost += loss.Snapshots;
        };
        try
        {
            SnapshotTableContent content = SnapshotTable.Load(metadata.File, header, forCheck: true, RepairsErrors ? dropped : null);
            Snapshots = content.Snapshots;
            Length = header.SnapshotCount == 0 ? 0 : content.Length;
        }
        catch (ImageException e) when (e.Kind == ImageErrorKind.Limit)
        {
            return Fail("File too large", $"ERROR failed to read the snapshot table: {e.Message}", e.Hint);
        }

        report.Corruptions += _broken;
        gone += lost;
        return true;
    }

    // Entries of version 3 must have the long fields.
    private void FindIncomplete()
    {
        for (int i = 0; metadata.Header.Version >= 3 && i < Snapshots.Count; i++)
        {
            if (Snapshots[i].ExtraDataLength < RequiredExtraData)
            {
                _broken++;
                report.Corruptions++;
                report.Say($"{(RepairsErrors ? "Repairing" : "ERROR")} snapshot table entry {i} is incomplete");
            }
        }
    }

    private bool Fail(string reason, string cause, string? hint = null)
    {
        report.CheckErrors++;
        report.Failure = reason;
        report.FailureCause = cause;
        report.FailureHint = hint;
        return false;
    }
}
