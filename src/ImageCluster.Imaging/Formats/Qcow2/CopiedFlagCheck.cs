using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Compares the flags of active L1 and L2 entries that say "the refcount is exactly one" with the refcounts, and sets them right where they
/// may be: a wrong one lets a writer change what a snapshot still needs.
/// </summary>
internal sealed class CopiedFlagCheck(Metadata metadata, Refcounts refcounts, ReferenceCounter counter, CheckReport report, CheckRepair repair)
{
    private readonly Layout _layout = metadata.Layout;
    private readonly L1Census _census = counter.Census!;
    private readonly L2Table _table = new(0, metadata.Layout.ClusterSize / sizeof(ulong));
    private bool _mend;

    /// <summary>False: the check cannot go on, and the report says why.</summary>
    public bool Run()
    {
        // Leaks alone are mended where the refcounts are now known to be right.
        _mend = (repair & CheckRepair.Errors) != 0
            || (repair != CheckRepair.None && report.CheckErrors == 0 && report.Corruptions == 0 && report.Leaks == 0);
        _census.StartOver();
        for (int index = 0; index < _census.Active.Length; index++)
        {
            ulong entry = _census.Active[index];
            long table = (long)(entry & Layout.OffsetMask);
            if (table == 0 || !TryGetRefcount(table, out ulong refcount))
            {
                continue;
            }

            if (refcount == 1 != ((entry & Layout.CopiedFlag) != 0))
            {
                MendL1Entry(index, entry, refcount);
            }

            if (_census.Visit(table) && !CheckTable(table, _census.Times(table).Active))
            {
                return false;
            }
        }

        return true;
    }

    private void MendL1Entry(int index, ulong entry, ulong refcount)
    {
        report.Say($"{Verb} OFLAG_COPIED L2 cluster: l1_index={index} l1_entry={entry:x} refcount={refcount}");
        if (!_mend)
        {
            report.Corruptions++;
            return;
        }

        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        entry ^= Layout.CopiedFlag;
        BinaryPrimitives.WriteUInt64BigEndian(bytes, entry);
        metadata.File.Write(metadata.Header.L1Offset + ((long)index * sizeof(ulong)), bytes);
        _census.Active[index] = entry;
        report.CorruptionsFixed++;
    }

    private bool CheckTable(long offset, uint times)
    {
        long inFile = Math.Min(_layout.ClusterSize, metadata.File.Length - offset);
        if (inFile <= 0 || (!_layout.IsClusterAligned(offset) && !counter.MayRead(_layout.ClusterSize)))
        {
            return true;
        }

        (long run, bool hole) = metadata.File.NextRange(offset, inFile);
        if (hole && run >= inFile)
        {
            return true;
        }

        _table.Bytes.Clear();
        _ = metadata.File.Read(offset, _table.Bytes);
        int changed = 0;
        for (int index = 0; index < _layout.L2Entries; index++)
        {
            int word = index << (_layout.L2EntryShift - 3);
            int skip = _table.Raw[word..].IndexOfAnyExcept(0UL);
            if (skip < 0)
            {
                break;
            }

            index += skip >> (_layout.L2EntryShift - 3);
            changed += CheckEntry(index << (_layout.L2EntryShift - 3), times);
        }

        return changed == 0 || WriteTable(offset, changed);
    }

    // 1 where the entry was changed.
    private int CheckEntry(int word, uint times)
    {
        ulong entry = _table[word];
        long host = (long)(entry & Layout.OffsetMask);
        bool hasHost = host != 0 || (metadata.HasDataFile && (entry & Layout.CopiedFlag) != 0);
        if ((entry & Layout.CompressedFlag) != 0 || !hasHost || (host == 0 && (entry & Layout.ZeroFlag) != 0 && !_layout.HasSubclusters))
        {
            return 0;
        }

        ulong refcount = 1;
        if ((!metadata.HasDataFile && !TryGetRefcount(host, out refcount)) || refcount == 1 == ((entry & Layout.CopiedFlag) != 0))
        {
            return 0;
        }

        report.Say($"{Verb} OFLAG_COPIED data cluster: l2_entry={entry:x} refcount={refcount}", _mend ? 1 : times);
        if (!_mend)
        {
            report.Corruptions += times;
            return 0;
        }

        _table[word] = entry ^ Layout.CopiedFlag;
        return 1;
    }

    private bool WriteTable(long offset, int changed)
    {
        if (refcounts.Overlap.Find(offset, _layout.ClusterSize, MetadataKind.L2Table) is not null)
        {
            report.Corruptions += changed;
            report.CheckErrors++;
            report.Say("ERROR: Could not write L2 table; metadata overlap check failed: Input/output error");
            report.Failure = "Input/output error";
            return false;
        }

        metadata.File.Write(offset, _table.Bytes);
        report.CorruptionsFixed += changed;
        return true;
    }

    private string Verb => _mend ? "Repairing" : "ERROR";

    // What is wrong with refcount blocks has been said before.
    private bool TryGetRefcount(long offset, out ulong refcount)
    {
        try
        {
            refcount = refcounts.Get(offset >> _layout.ClusterBits);
            return true;
        }
        catch (ImageException e) when (e.Kind == ImageErrorKind.Corrupt)
        {
            refcount = 0;
            return false;
        }
    }
}
