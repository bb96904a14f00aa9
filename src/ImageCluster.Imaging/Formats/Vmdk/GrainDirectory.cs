using System.Buffers;
using System.Numerics;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// Finds grain tables through the grain directory of a sparse extent. Directory and tables are read when they are asked for and
/// kept in caches of bounded size, so memory does not grow with what a header claims. Looking up what is cached takes no lock.
/// </summary>
internal abstract class GrainDirectory
{
    private const int PageEntries = 1024;
    private const int PageLines = 64;
    private const int TableLines = 1024;
    private const int CachedEntries = 1 << 19;

    private readonly long _offset;
    private readonly int _entryBytes;
    private readonly DirectMappedCache<Page> _pages;
    private readonly DirectMappedCache<GrainTable> _tables;
    private readonly Dictionary<long, GrainTable> _pinned = [];
    private readonly Lock _gate = new();

    /// <param name="file">The extent's file.</param>
    /// <param name="offset">Where the directory starts, bytes.</param>
    /// <param name="tableCount">Its entries; at most <see cref="VmdkLimits.MaxGrainTables"/>.</param>
    /// <param name="entryBytes">Size of an entry of directory and tables.</param>
    /// <param name="entriesPerTable">Grains that a table maps.</param>
    protected GrainDirectory(IBlockFile file, long offset, long tableCount, int entryBytes, int entriesPerTable)
    {
        File = file;
        _offset = offset;
        _entryBytes = entryBytes;
        TableCount = tableCount;
        EntriesPerTable = entriesPerTable;
        _pages = new DirectMappedCache<Page>(Lines(VmdkLimits.DivideUp(tableCount, PageEntries), PageLines));
        _tables = new DirectMappedCache<GrainTable>(Lines(tableCount, Math.Clamp(CachedEntries / entriesPerTable, 1, TableLines)));
    }

    public IBlockFile File { get; }

    public long TableCount { get; }

    public int EntriesPerTable { get; }

    /// <summary>A table; null where the directory has none, so that all its grains are absent.</summary>
    public GrainTable? Find(long index)
    {
        if (_tables.Find(index) is { } table)
        {
            return table;
        }

        long offset = TableOffset(index);
        if (offset == 0)
        {
            return null;
        }

        lock (_gate)
        {
            return Load(index, offset);
        }
    }

    /// <summary>How many tables from <paramref name="index"/> on, at most <paramref name="limit"/>, are known to be missing; at least 1.</summary>
    public long CountMissing(long index, long limit)
    {
        Page page = FindPage(index / PageEntries);
        long end = Math.Min(Math.Min(index + limit, TableCount), (page.Key + 1) * PageEntries);
        long next = index + 1;
        while (next < end && page.Offsets[next % PageEntries] == 0)
        {
            next++;
        }

        return next - index;
    }

    /// <summary>Where a table starts in the file, bytes; 0 where there is none.</summary>
    public long TableOffset(long index)
    {
        if ((ulong)index >= (ulong)TableCount)
        {
            throw new ImageException(ImageErrorKind.Corrupt, File.Name, $"Grain table {index:#,0} is beyond the grain directory ({TableCount:#,0} entries)");
        }

        long offset = Volatile.Read(ref FindPage(index / PageEntries).Offsets[index % PageEntries]);
        return offset >= 0
            ? offset
            : throw new ImageException(ImageErrorKind.Corrupt, File.Name, $"Grain directory entry {index:#,0} is invalid");
    }

    /// <summary>
    /// The table, kept until <see cref="Unpin"/> so that changes to it are seen by everybody. It must be there.
    /// </summary>
    public GrainTable Pin(long index)
    {
        long offset = TableOffset(index);
        lock (_gate)
        {
            GrainTable table = _tables.Find(index) ?? Load(index, offset);
            _pinned[index] = table;
            return table;
        }
    }

    /// <summary>Lets go of a table whose changes stand in the file.</summary>
    public void Unpin(GrainTable table)
    {
        lock (_gate)
        {
            if (_pinned.Remove(table.Key))
            {
                _tables.Put(table);
            }
        }
    }

    /// <summary>Takes note of a table that was added to the file and the directory.</summary>
    public void TableAdded(long index, long offset) => Volatile.Write(ref FindPage(index / PageEntries).Offsets[index % PageEntries], offset);

    /// <summary>Where the directory's entry stands in the file, bytes.</summary>
    public long EntryPosition(long index) => _offset + (index * _entryBytes);

    /// <summary>The byte offset of a table from a directory entry; 0 where there is none, negative where the entry makes no sense.</summary>
    protected abstract long DecodeDirectoryEntry(ReadOnlySpan<byte> entry);

    /// <summary>The byte offset of a grain from a table entry, or one of <see cref="GrainTable"/>'s constants.</summary>
    protected abstract long DecodeTableEntry(ReadOnlySpan<byte> entry);

    private static int Lines(long needed, int limit) => (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(needed, 1, limit));

    private Page FindPage(long number)
    {
        if (_pages.Find(number) is { } page)
        {
            return page;
        }

        lock (_gate)
        {
            page = _pages.Find(number);
            if (page is null)
            {
                long first = number * PageEntries;
                page = new Page(number, ReadEntries(EntryPosition(first), (int)Math.Min(PageEntries, TableCount - first), "the grain directory", DecodeDirectoryEntry));
                _pages.Put(page);
            }

            return page;
        }
    }

    private GrainTable Load(long index, long offset)
    {
        GrainTable? table = _tables.Find(index);
        if (table is null && !_pinned.TryGetValue(index, out table))
        {
            table = new GrainTable(index, ReadEntries(offset, EntriesPerTable, "a grain table", DecodeTableEntry));
            _tables.Put(table);
        }

        return table;
    }

    private long[] ReadEntries(long offset, int count, string what, Decoder decode)
    {
        int bytes = count * _entryBytes;
        byte[] raw = ArrayPool<byte>.Shared.Rent(bytes);
        try
        {
            File.ReadExactly(offset, raw.AsSpan(0, bytes), what);
            long[] entries = new long[count];
            for (int i = 0; i < count; i++)
            {
                entries[i] = decode(raw.AsSpan(i * _entryBytes, _entryBytes));
            }

            return entries;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(raw);
        }
    }

    private delegate long Decoder(ReadOnlySpan<byte> entry);

    private sealed class Page(long number, long[] offsets) : ICacheLine
    {
        public long Key => number;

        public long[] Offsets => offsets;
    }
}
