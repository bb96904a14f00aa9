using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Changes the active L1 and L2 tables in memory and brings them to the file in an order that a crash cannot hurt: payload and refcounts are
/// durable before a table points to what they are of, an L2 table before the L1 entry that points to it, and tables before room that
/// they no longer point to is free. What a crash leaves at worst is room that nobody uses (leaks).
/// For one thread at a time; readers see changes at once.
/// </summary>
internal partial class TableWriter
{
    /// <summary>Memory for tables that wait to be written, unless a few tables alone take more.</summary>
    private const long ChangedBudget = 8L << 20;

    /// <summary>Room that waits to be free is not let grow beyond this, so that it is used again.</summary>
    private const long NotedBudget = 64L << 20;

    private const int SectorSize = 512;

    private readonly Metadata _metadata;
    private readonly Layout _layout;
    private readonly int _maxChanged;
    private readonly Dictionary<L2Table, (int From, int To)> _changedTables = [];
    private readonly SortedSet<int> _changedEntries = [];
    private ImageException? _failure;
    private BitmapSet? _bitmaps;
    private bool _began;
    private bool _isDirty;

    public TableWriter(Metadata metadata)
        : this(metadata, static (image, refcounts) => new Allocator(image, refcounts))
    {
    }

    protected TableWriter(Metadata metadata, Func<Metadata, Refcounts, Allocator> allocator)
    {
        _metadata = metadata;
        _layout = metadata.Layout;
        _maxChanged = (int)Math.Max(4, ChangedBudget >> _layout.ClusterBits);
        Refcounts = new Refcounts(metadata);
        Allocator = allocator(metadata, Refcounts);
        CompleteL1();
    }

    public Refcounts Refcounts { get; private set; }

    public Allocator Allocator { get; private set; }

    /// <summary>The persistent bitmaps; what they record and what is edited is stored by <see cref="Flush"/> and <see cref="Finish"/>.</summary>
    /// <exception cref="ImageException">Their directory cannot be read.</exception>
    public BitmapSet Bitmaps => _bitmaps ??= new BitmapSet(_metadata, this);

    /// <summary>False while the disk's size changes: what is written then is no change of the guest's, and the bitmaps do not fit the disk.</summary>
    public bool RecordsWrites { get; set; } = true;

    /// <summary>Indexes of L1 entries that changed and are not written, in order.</summary>
    protected IReadOnlyCollection<int> ChangedEntries => _changedEntries;

    /// <summary>Something failed that leaves it open what the file holds; nothing more is written.</summary>
    public bool HasFailed => _failure is not null;

    /// <summary>Refcount updates may be postponed while the dirty bit is set.</summary>
    private bool IsLazy => _metadata.Header.HasLazyRefcounts;

    /// <summary>
    /// Called before guest bytes are changed (<paramref name="length"/> 0: none are): refuses after a failure; the first time it marks the image as
    /// being written.
    /// </summary>
    public void Begin(long offset = 0, long length = 0)
    {
        Begin();
        if (length > 0 && RecordsWrites && (_bitmaps is not null || _metadata.Header.Bitmaps is not null))
        {
            Record(offset, length);
        }
    }

    private void Record(long offset, long length) => Guard(() => Bitmaps.Record(offset, length));

    private void Begin()
    {
        ThrowIfFailed();
        if (!_began)
        {
            Guard(BeginWriting);
            _began = true;
        }
    }

    /// <summary>Marks the image, the first time, as being written.</summary>
    protected virtual void BeginWriting()
    {
        Header header = _metadata.Header;
        AutoclearFeatures known = header.Autoclear & AutoclearFeatures.Known;
        if (known != header.Autoclear)
        {
            HeaderPatch.WriteAutoclear(_metadata.File, known);
            _metadata.Header = header with { Autoclear = known };
        }
    }

    /// <summary>Before room is taken: with lazy refcounts the image is marked dirty first.</summary>
    public virtual void BeginAllocating()
    {
        if (IsLazy && !_isDirty)
        {
            Guard(() => WriteDirtyBit(true));
        }
    }

    /// <summary>Refuses when something failed before that leaves it open what the file holds.</summary>
    public void ThrowIfFailed()
    {
        if (_failure is not null)
        {
            throw new ImageException(_failure.Kind, _failure.File, $"No more is written after an earlier failure: {_failure.Message}", _failure)
            {
                Errno = _failure.Errno,
            };
        }
    }

    /// <summary>Ends all writing: what is here of the file's state does not hold.</summary>
    public void Fail(ImageException reason) => _failure ??= reason;

    /// <summary>Runs what must not be left half done: when it fails, everything after it fails too.</summary>
    public void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (ImageException e)
        {
            _failure ??= e;
            throw;
        }
    }

    /// <summary>The L2 table of an L1 entry, null where there is none, for looking.</summary>
    public L2Table? Find(int l1Index)
    {
        long offset = (long)(_metadata.L1[l1Index] & Layout.OffsetMask);
        return offset == 0 ? null : _metadata.L2.Get(Aligned(offset, l1Index));
    }

    /// <summary>
    /// The L2 table of an L1 entry, for changing: made where there is none, copied where a snapshot shares it. It stays valid until
    /// the next call.
    /// </summary>
    public L2Table Open(int l1Index)
    {
        MakeRoom();
        ulong entry = _metadata.L1[l1Index];
        long offset = Aligned((long)(entry & Layout.OffsetMask), l1Index);
        if (offset != 0 && (entry & Layout.CopiedFlag) != 0)
        {
            L2Table table = _metadata.L2.Pin(offset);
            if (_changedTables.TryAdd(table, (int.MaxValue, 0)))
            {
                CheckFree(offset, _layout.ClusterSize, MetadataKind.L2Table);
            }

            return table;
        }

        BeginAllocating();
        L2Table? shared = offset == 0 ? null : _metadata.L2.Get(offset);
        long newOffset = Guarded(() => Allocator.Allocate(1));
        CheckFree(newOffset, _layout.ClusterSize);
        L2Table copy = _metadata.L2.PinNew(newOffset);
        if (shared is not null)
        {
            shared.Raw.CopyTo(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(copy.Bytes));
            Replaced(offset);
        }

        _changedTables[copy] = (0, _layout.ClusterSize);
        Refcounts.Overlap.AddTable(newOffset);
        Volatile.Write(ref _metadata.L1[l1Index], (ulong)newOffset | Layout.CopiedFlag);
        _changedEntries.Add(l1Index);
        return copy;
    }

    /// <summary>Notes that the active L1 table does not refer to the L2 table at this host offset any more.</summary>
    protected virtual void Replaced(long offset)
    {
        Allocator.FreeLater(offset, _layout.ClusterSize, discard: false);
        Refcounts.Overlap.RemoveTable(offset);
    }

    /// <summary>
    /// Takes an L2 table out of the active L1 table. What its entries refer to must have been noted as free before; the table's own room is
    /// noted here.
    /// </summary>
    public void Drop(int l1Index)
    {
        long offset = (long)(_metadata.L1[l1Index] & Layout.OffsetMask);
        if (_metadata.L2.Get(offset) is { } table && _changedTables.Remove(table))
        {
            _metadata.L2.Unpin(offset);
        }

        Volatile.Write(ref _metadata.L1[l1Index], 0);
        Refcounts.Overlap.RemoveTable(offset);
        _changedEntries.Add(l1Index);
        Allocator.FreeLater(offset, _layout.ClusterSize, discard: true);
        MakeRoom();
    }

    /// <summary>Moves the active L1 table to new room, with more entries, durably.</summary>
    public void GrowL1(int entries)
    {
        Header old = _metadata.Header;
        if (entries <= old.L1Entries)
        {
            return;
        }

        if (entries > Header.MaxL1Bytes / sizeof(ulong))
        {
            throw new ImageException(ImageErrorKind.Limit, _metadata.File.Name, "Failed to grow the L1 table: File too large") { Errno = Errno.FBig };
        }

        Flush();
        long bytes = (long)entries * sizeof(ulong);
        long clusters = (bytes + _layout.ClusterSize - 1) >> _layout.ClusterBits;
        _metadata.File.Tell("l1_grow_alloc_table");
        long offset = Allocate(clusters);
        Guard(() =>
        {
            ulong[] l1 = _metadata.L1;
            Array.Resize(ref l1, entries);
            byte[] table = new byte[clusters << _layout.ClusterBits];
            for (int i = 0; i < entries; i++)
            {
                BinaryPrimitives.WriteUInt64BigEndian(table.AsSpan(i * sizeof(ulong)), l1[i]);
            }

            _metadata.File.Tell("l1_grow_write_table");
            _metadata.File.Write(offset, table);
            Refcounts.Write();
            _metadata.File.Flush();
            _metadata.File.Tell("l1_grow_activate_table");
            HeaderPatch.WriteL1(_metadata.File, entries, offset);
            _metadata.File.Flush();
            _metadata.L1 = l1;
            _metadata.Header = _metadata.Header with { L1Entries = entries, L1Offset = offset };
            Allocator.FreeLater(old.L1Offset, (long)old.L1Entries * sizeof(ulong), discard: false);
        });
    }

    /// <summary>Notes that the entries from <paramref name="index"/> on of a table that <see cref="Open"/> gave were changed.</summary>
    public void Changed(L2Table table, int index, int count)
    {
        int from = index << _layout.L2EntryShift;
        int to = (index + count) << _layout.L2EntryShift;
        (int before, int after) = _changedTables[table];
        _changedTables[table] = (Math.Min(before, from), Math.Max(after, to));
    }

    /// <summary>Allocates clusters; a failure that leaves the refcounts in doubt ends all writing.</summary>
    public long Allocate(long clusters)
    {
        BeginAllocating();
        long offset = Guarded(() => Allocator.Allocate(clusters));
        CheckFree(offset, clusters << _layout.ClusterBits);
        return offset;
    }

    /// <summary>As <see cref="Allocate"/>, room for a compressed cluster.</summary>
    public long AllocateCompressed(int length)
    {
        BeginAllocating();
        long offset = Guarded(() => Allocator.AllocateCompressed(length));
        CheckFree(offset, length);
        return offset;
    }

    /// <summary>
    /// Refuses to write payload where metadata stands: only a corrupt image asks for it. The image is marked corrupt, as QEMU does.
    /// </summary>
    public void CheckFree(long offset, long length) => CheckFree(offset, length, MetadataKind.None);

    private void CheckFree(long offset, long length, MetadataKind own)
    {
        if (Refcounts.Overlap.Find(offset, length, own) is not null)
        {
            RefuseOverlap(offset, length, own);
        }
    }

    private void RefuseOverlap(long offset, long length, MetadataKind own) => Guard(() => Refcounts.Overlap.Require(offset, length, own));

    /// <summary>True where a cluster of the range holds metadata other than bitmaps.</summary>
    public bool IsMetadata(long offset, long length) => Refcounts.Overlap.Find(offset, length) is not null;

    /// <summary>Forgets what is cached of refcounts and tables, all of which is written: somebody else changed the file.</summary>
    public void Reload()
    {
        _isDirty = _metadata.Header.IsDirty;
        Refcounts = new Refcounts(_metadata);
        Allocator = new Allocator(_metadata, Refcounts);
        CompleteL1();
    }

    private T Guarded<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (ImageException e) when (Refcounts.Broken || e.Corruption != CorruptionSignal.None)
        {
            _failure ??= e;
            throw;
        }
    }

    // Entries that the file ends before are zero, but there.
    private void CompleteL1()
    {
        ulong[] l1 = _metadata.L1;
        if (l1.Length < _metadata.Header.L1Entries)
        {
            Array.Resize(ref l1, _metadata.Header.L1Entries);
            _metadata.L1 = l1;
        }
    }

    private long Aligned(long offset, int l1Index) => _layout.IsClusterAligned(offset)
        ? offset
        : throw _metadata.Signal(BadEntry.L2Table(offset, l1Index));

    private void MakeRoom()
    {
        if (_changedTables.Count >= _maxChanged || Allocator.NotedBytes > NotedBudget)
        {
            Commit();
        }
    }
}
