using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Goes through everything in an image that refers to clusters and counts the references; says on the way what is wrong with tables
/// and entries. Each table is read once however often it is named.
/// </summary>
internal sealed partial class ReferenceCounter
{
    private const ulong L1ReservedMask = 0x7F00_0000_0000_01FF;
    private const ulong RefcountTableReservedMask = 0x1FF;
    private const int TableEntryLength = sizeof(ulong);
    private const int FileTooLarge = 27;

    private const string InputOutputError = "Input/output error";

    private readonly Metadata _metadata;
    private readonly Refcounts _refcounts;
    private readonly CheckReport _report;
    private readonly L2Check _l2;
    private readonly long _readBudget;
    private long _read;
    private Snapshot? _unreadable;

    public ReferenceCounter(Metadata metadata, Refcounts refcounts, IReadOnlyList<Snapshot> snapshots, CheckReport report, CheckRepair repair)
    {
        _metadata = metadata;
        _refcounts = refcounts;
        _report = report;
        Snapshots = snapshots;
        Repair = repair;
        FileLength = metadata.File.Length;
        Counts = new ReferenceCounts(metadata.Layout.RefcountMax, ClustersOf(FileLength));

        // Tables that overlap can be read over and over; nobody's image needs more than this.
        _readBudget = FileLength > long.MaxValue / 8 ? long.MaxValue : (4 * FileLength) + (256L << 20);
        _l2 = new L2Check(this, metadata, report, refcounts.Overlap);
    }

    public IReadOnlyList<Snapshot> Snapshots { get; }

    public CheckRepair Repair { get; set; }

    public ReferenceCounts Counts { get; }

    public long FileLength { get; private set; }

    /// <summary>The refcount structure cannot be mended in place.</summary>
    public bool NeedsRebuild { get; set; }

    /// <summary>Bytes of the snapshot table.</summary>
    public long SnapshotTableLength { get; init; }

    /// <summary>The L1 tables' entries, there after <see cref="Run"/>.</summary>
    public L1Census? Census { get; set; }

    public long ClustersOf(long bytes) => (bytes >> _metadata.Layout.ClusterBits) + ((bytes & (_metadata.Layout.ClusterSize - 1)) == 0 ? 0 : 1);

    /// <summary>Starts the report's numbers of allocated clusters anew: they are about to be counted a second time.</summary>
    public void ClearAllocationCounts()
    {
        _report.AllocatedClusters = 0;
        _report.CompressedClusters = 0;
        _report.FragmentedClusters = 0;
    }

    /// <summary>Counts everything. False: the check cannot go on, and the report says why.</summary>
    public bool Run()
    {
        Header header = _metadata.Header;
        Count(0, _metadata.Layout.ClusterSize);
        List<Snapshot> sound = SoundSnapshots();
        Census = L1Census.Take(_metadata.File, header, sound.Where(snapshot => snapshot.L1Offset < FileLength));
        if (header.L1Entries > 0)
        {
            Count(header.L1Offset, (long)header.L1Entries * TableEntryLength);
            foreach (ulong entry in Census.Active)
            {
                if (entry != 0 && !CheckL1Entry(entry, 1, active: true))
                {
                    return false;
                }
            }
        }

        if (!CountSnapshots(sound))
        {
            return false;
        }

        Count(header.RefcountTableOffset, (long)header.RefcountTableClusters << header.ClusterBits);
        if (header.CryptoHeader is { Length: > 0 } crypto)
        {
            Count(crypto.Offset, crypto.Length);
        }

        if (!CountBitmaps())
        {
            return false;
        }

        CountRefcountBlocks();
        return true;
    }

    /// <summary>Counts <paramref name="times"/> references to each cluster of a range of the file.</summary>
    public void Count(long offset, long length, uint times = 1)
    {
        if (length > 0 && IsInFile(offset, length, times))
        {
            CountClusters(offset, length, times);
        }
    }

    // The last cluster of an image may be cut off.
    private bool IsInFile(long offset, long length, uint times)
    {
        if (offset >= 0 && offset <= FileLength + _metadata.Layout.ClusterSize && offset + length - FileLength < _metadata.Layout.ClusterSize)
        {
            return true;
        }

        _report.Corrupt(times, $"ERROR: counting reference for region exceeding the end of the file by one cluster or more: offset 0x{offset:x} size 0x{length:x}");
        return false;
    }

    private void CountClusters(long offset, long length, uint times)
    {
        long last = (offset + length - 1) >> _metadata.Layout.ClusterBits;
        for (long cluster = offset >> _metadata.Layout.ClusterBits; cluster <= last; cluster++)
        {
            ulong beyond = Counts.Add(cluster, times);
            if (beyond > 0)
            {
                _report.Corrupt((long)beyond, $"ERROR: overflow cluster offset=0x{cluster << _metadata.Layout.ClusterBits:x}");
                _report.Say("Use qemu-img amend to increase the refcount entry width or qemu-img convert to create a clean copy if the image cannot be opened for writing");
            }
        }
    }

    /// <summary>False where more would be read than an image can need: its tables overlap.</summary>
    public bool MayRead(long bytes)
    {
        _read += bytes;
        if (_read <= _readBudget)
        {
            return true;
        }

        if (_read - bytes <= _readBudget)
        {
            _report.CheckErrors++;
            _report.Say("ERROR: tables overlap so much that they were not all looked at");
        }

        return false;
    }

    private bool CheckL1Entry(ulong entry, uint times, bool active)
    {
        if ((entry & L1ReservedMask) != 0)
        {
            _report.Corrupt(times, $"ERROR found L1 entry with reserved bits set: {entry:x}");
        }

        long table = (long)(entry & Layout.OffsetMask);
        Count(table, _metadata.Layout.ClusterSize, times);
        if (!_metadata.Layout.IsClusterAligned(table))
        {
            _report.Corrupt(times, $"ERROR l2_offset={table:x}: Table is not cluster aligned; L1 entry corrupted");
        }

        if (!Census!.Visit(table))
        {
            return true;
        }

        (uint activeTimes, uint inactiveTimes) = Census.Times(table);
        return _l2.Run(table, activeTimes, inactiveTimes, active);
    }

    // QEMU's sums wrap around, so that it complains of some ranges, wants memory for the counts of too many clusters for others, and
    // passes the rest over until it reads.
    private bool FailBeyond(long offset, long length)
    {
        long end = unchecked(offset + length);
        if (unchecked(end - FileLength) >= _metadata.Layout.ClusterSize)
        {
            IsInFile(offset, length, 1);
        }
        else if ((ulong)end > (ulong)offset)
        {
            return Fail("Cannot allocate memory");
        }

        return Fail(InputOutputError);
    }

    private bool CountBitmaps()
    {
        if (_metadata.Header.Bitmaps is not { } pointer)
        {
            return true;
        }

        Count(pointer.DirectoryOffset, pointer.DirectorySize);
        IReadOnlyList<PersistentBitmap> bitmaps;
        try
        {
            bitmaps = BitmapDirectory.Read(_metadata.File, _metadata.Header);
        }
        catch (ImageException e)
        {
            _report.Corrupt(1, $"ERROR: {e.Message}");
            return Fail("Invalid argument");
        }

        foreach (PersistentBitmap bitmap in bitmaps)
        {
            if (!BitmapTable.IsReadable(bitmap))
            {
                // One that is in use: others keep the image from being opened.
                _report.Corruptions++;
                return FailBeyond(bitmap.TableOffset, bitmap.TableEntries * (long)TableEntryLength);
            }

            Count(bitmap.TableOffset, bitmap.TableEntries * (long)TableEntryLength);
            if (!CountBitmap(bitmap))
            {
                return Fail("Invalid argument");
            }
        }

        return true;
    }

    private bool CountBitmap(PersistentBitmap bitmap)
    {
        if (!MayRead(Math.Clamp(FileLength - bitmap.TableOffset, 0, bitmap.TableEntries * (long)TableEntryLength)))
        {
            return true;
        }

        ulong[] table = BitmapTable.Read(_metadata.File, bitmap);
        int bad = Array.FindIndex(table, entry => !BitmapTable.IsValid(entry, _metadata.Layout));
        if (bad >= 0)
        {
            _report.Corrupt(1, $"ERROR: The table of bitmap '{bitmap.Name}' is corrupt: {table[bad]:x}");
            return false;
        }

        foreach (ulong entry in table)
        {
            if (BitmapTable.OffsetOf(entry) is not 0 and var offset)
            {
                Count(offset, _metadata.Layout.ClusterSize);
            }
        }

        return true;
    }

    private void CountRefcountBlocks()
    {
        for (int i = 0; i < _refcounts.Table.Length; i++)
        {
            ulong entry = _refcounts.Table[i];
            if (entry == 0)
            {
                continue;
            }

            ulong offset = entry & ~RefcountTableReservedMask;
            ulong cluster = offset >> _metadata.Layout.ClusterBits;
            if ((entry & RefcountTableReservedMask) != 0)
            {
                _report.Corrupt(1, $"ERROR refcount table entry {i} has reserved bits set");
                NeedsRebuild = true;
            }
            else if ((offset & (ulong)(_metadata.Layout.ClusterSize - 1)) != 0)
            {
                _report.Corrupt(1, $"ERROR refcount block {i} is not cluster aligned; refcount table entry corrupted");
                NeedsRebuild = true;
            }
            else if (cluster >= (ulong)Counts.Clusters)
            {
                CheckBlockOutside(i, offset);
            }
            else
            {
                Count((long)offset, _metadata.Layout.ClusterSize);
                if (Counts[(long)cluster] != 1)
                {
                    _report.Corrupt(1, $"ERROR refcount block {i} refcount={Counts[(long)cluster]}");
                    NeedsRebuild = true;
                }
            }
        }
    }

    // A repair makes the file as long as it takes, where that is possible.
    private void CheckBlockOutside(int index, ulong offset)
    {
        bool repair = (Repair & CheckRepair.Errors) != 0;
        _report.Corrupt(1, $"{(repair ? "Repairing" : "ERROR")} refcount block {index} is outside image");
        if (!repair)
        {
            return;
        }

        try
        {
            if (offset > (ulong)(long.MaxValue - _metadata.Layout.ClusterSize))
            {
                throw new ImageException(ImageErrorKind.Corrupt, _metadata.File.Name, "Invalid argument");
            }

            _metadata.File.SetLength((long)offset + _metadata.Layout.ClusterSize);
            FileLength = _metadata.File.Length;
            Counts.Grow(ClustersOf(FileLength));
            _report.Corruptions--;
            _report.CorruptionsFixed++;
            Count((long)offset, _metadata.Layout.ClusterSize);
        }
        catch (ImageException e)
        {
            NeedsRebuild = true;
            _report.Say($"ERROR could not resize image: {(e.Errno == FileTooLarge ? "File too large" : e.Message)}");
        }
    }

    private bool Fail(string reason)
    {
        _report.Failure = reason;
        return false;
    }
}
