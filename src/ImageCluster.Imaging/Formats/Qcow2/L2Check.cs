using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Goes through one L2 table: counts what its entries refer to, says which are wrong, and mends those that lose nothing by it.</summary>
internal sealed class L2Check(ReferenceCounter counter, Metadata metadata, CheckReport report, MetadataOverlap overlap)
{
    private const ulong ReservedMask = 0x3F00_0000_0000_01FE;

    private readonly Layout _layout = metadata.Layout;
    private readonly L2Table _table = new(0, metadata.Layout.ClusterSize / sizeof(ulong));

    // Of the table that is looked at.
    private long _offset;
    private uint _active;
    private uint _times;
    private bool _isActive;

    /// <summary>Looks at the table at <paramref name="offset"/>. False: the check cannot go on.</summary>
    /// <param name="offset">Host offset, bytes.</param>
    /// <param name="active">How many entries of the active L1 table name it.</param>
    /// <param name="inactive">How many entries of snapshots' L1 tables do.</param>
    /// <param name="isActive">It was come to by the active L1 table.</param>
    public bool Run(long offset, uint active, uint inactive, bool isActive)
    {
        if (!Read(offset))
        {
            return true;
        }

        _offset = offset;
        _active = active;
        _times = active + inactive;
        _isActive = isActive;
        long nextContiguous = 0;
        for (int index = 0; index < _layout.L2Entries; index++)
        {
            // Nothing at all is by far the most common entry, and there is nothing to say about it.
            int word = index << (_layout.L2EntryShift - 3);
            int skip = _table.Raw[word..].IndexOfAnyExcept(0UL);
            if (skip < 0)
            {
                break;
            }

            index += skip >> (_layout.L2EntryShift - 3);
            word = index << (_layout.L2EntryShift - 3);
            ulong bitmap = _layout.HasSubclusters ? _table[word + 1] : 0;
            if (!CheckEntry(index, _table[word], bitmap, ref nextContiguous))
            {
                return false;
            }
        }

        return true;
    }

    // False where the file has nothing but zeros there, or where enough was read.
    private bool Read(long offset)
    {
        long inFile = Math.Min(_layout.ClusterSize, counter.FileLength - offset);
        if (inFile <= 0 || (!_layout.IsClusterAligned(offset) && !counter.MayRead(_layout.ClusterSize)))
        {
            return false;
        }

        (long run, bool hole) = metadata.File.NextRange(offset, inFile);
        if (hole && run >= inFile)
        {
            return false;
        }

        _table.Bytes.Clear();
        _ = metadata.File.Read(offset, _table.Bytes);
        return true;
    }

    private bool CheckEntry(int index, ulong entry, ulong bitmap, ref long nextContiguous)
    {
        if ((entry & Layout.CompressedFlag) != 0)
        {
            CheckCompressed(index, entry, bitmap);
            return true;
        }

        if ((entry & ReservedMask) != 0)
        {
            report.Corrupt(_times, $"ERROR found l2 entry with reserved bits set: {entry:x}");
        }

        bool zero = (entry & Layout.ZeroFlag) != 0 && !_layout.HasSubclusters;
        long offset = (long)(entry & Layout.OffsetMask);
        if (offset == 0 && (zero || !metadata.HasDataFile || (entry & Layout.CopiedFlag) == 0))
        {
            if (!zero && (uint)bitmap != 0)
            {
                report.Corrupt(_times, $"ERROR: Unallocated cluster has non-zero subcluster allocation map");
            }

            return true;
        }

        return CheckAllocated(index, entry, bitmap, offset, ref nextContiguous);
    }

    private void CheckCompressed(int index, ulong entry, ulong bitmap)
    {
        if ((entry & Layout.CopiedFlag) != 0)
        {
            report.Corrupt(_times, $"ERROR: coffset=0x{_layout.CompressedOffset(entry):x}: copied flag must never be set for compressed clusters");
            entry &= ~Layout.CopiedFlag;
        }

        if (metadata.HasDataFile)
        {
            report.Corrupt(_times, $"ERROR compressed cluster {index} with data file, entry=0x{entry:x}");
        }
        else if (bitmap != 0)
        {
            report.Corrupt(_times, $"ERROR compressed cluster {index} with non-zero subcluster allocation bitmap, entry=0x{entry:x}");
        }
        else
        {
            counter.Count(_layout.CompressedOffset(entry), _layout.CompressedLength(entry), _times);
            report.AllocatedClusters += _active;
            report.CompressedClusters += _active;
            report.FragmentedClusters += _active;
        }
    }

    private bool CheckAllocated(int index, ulong entry, ulong bitmap, long offset, ref long nextContiguous)
    {
        if (((bitmap >> 32) & bitmap) != 0)
        {
            report.Corrupt(_times, $"ERROR offset={offset:x}: Allocated cluster has corrupted subcluster allocation bitmap");
        }

        if (!_layout.IsClusterAligned(offset) && MendUnaligned(index, entry, bitmap, offset) is { } goesOn)
        {
            return goesOn;
        }

        report.AllocatedClusters += _active;
        report.FragmentedClusters += nextContiguous != 0 && offset != nextContiguous ? _active : 0;
        nextContiguous = offset + _layout.ClusterSize;
        if (!metadata.HasDataFile)
        {
            counter.Count(offset, _layout.ClusterSize, _times);
        }

        return true;
    }

    // An unaligned cluster that holds no data becomes plain zeros. Null: it stays, and counts; else whether the check can go on.
    private bool? MendUnaligned(int index, ulong entry, ulong bitmap, long offset)
    {
        bool holdsData = _layout.HasSubclusters ? (uint)bitmap != 0 : (entry & Layout.ZeroFlag) == 0;
        if (holdsData)
        {
            report.Corrupt(_times, $"ERROR offset={offset:x}: Data cluster is not properly aligned; L2 entry corrupted.");
            return null;
        }

        bool repair = (counter.Repair & CheckRepair.Errors) != 0;
        report.Corrupt(repair ? 1 : _times, $"{(repair ? "Repairing" : "ERROR")} offset={offset:x}: Preallocated cluster is not properly aligned; L2 entry corrupted.");
        if (!repair)
        {
            return null;
        }

        int at = index << _layout.L2EntryShift;
        if (overlap.Find(_offset + at, 1 << _layout.L2EntryShift, _isActive ? MetadataKind.L2Table : MetadataKind.None) is not null)
        {
            report.Say("ERROR: Overlap check failed");
            report.CheckErrors++;
            report.Failure = "Input/output error";
            return false;
        }

        // Subclusters that were there become zero.
        int word = at >> 3;
        _table[word] = _layout.HasSubclusters ? 0 : Layout.ZeroFlag;
        if (_layout.HasSubclusters)
        {
            _table[word + 1] = (bitmap | (bitmap << 32)) & 0xFFFF_FFFF_0000_0000;
        }

        metadata.File.Write(_offset + at, _table.Bytes.Slice(at, 1 << _layout.L2EntryShift));
        metadata.File.Flush();
        report.Corruptions--;
        report.CorruptionsFixed++;
        return true;
    }
}
