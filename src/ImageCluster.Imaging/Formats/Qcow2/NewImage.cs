using System.Buffers;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// An image that is being made: its settings, its clusters, and the place of its L1 table. The same settings give the same layout, so
/// any process that knows the request knows it.
/// </summary>
internal sealed class NewImage
{
    private readonly CreateSettings _settings;
    private readonly long _l1;
    private readonly long _l1Clusters;
    private readonly PreallocatedClusters _preallocated;
    private readonly long _crypto;
    private readonly long _cryptoClusters;

    public NewImage(CreateSettings settings, string? file)
    {
        _settings = settings;
        Layout = new Layout(settings.Header);
        Space = new NewImageSpace(Layout, file);
        _l1Clusters = RefcountMath.DivideUp(settings.Header.L1Entries * (long)sizeof(ulong), Layout.ClusterSize);
        _l1 = _l1Clusters == 0 ? 0 : Space.Allocate(_l1Clusters);
        _preallocated = settings.Preallocation == Preallocation.Off
            ? new PreallocatedClusters([], [], 0)
            : Preallocator.Allocate(settings, Layout, Space, Space.End);
        if (settings.Encryption?.Luks is { } luks)
        {
            _cryptoClusters = RefcountMath.DivideUp(luks.HeaderLength, Layout.ClusterSize);
            _crypto = Space.Allocate(_cryptoClusters);
        }
    }

    public Layout Layout { get; }

    /// <summary>The clusters of the image's file.</summary>
    public NewImageSpace Space { get; }

    /// <summary>The header as it is now: the refcount table may still move.</summary>
    public Header Header => _settings.Header with
    {
        L1Offset = _l1 << Layout.ClusterBits,
        RefcountTableOffset = Space.RefcountTable << Layout.ClusterBits,
        RefcountTableClusters = (int)Space.RefcountTableClusters,
        CryptoHeader = _settings.Encryption?.Luks is { } luks ? new CryptoHeaderPointer(_crypto << Layout.ClusterBits, luks.HeaderLength) : null,
    };

    public bool IsPreallocated => _preallocated.Tables.Length > 0;

    /// <summary>What the image takes before anything is filled in, refcount structures left out: header, L1 table, preallocated clusters.</summary>
    public ClusterRanges OwnClusters()
    {
        ClusterRanges own = new();
        own.Add(0, 1);
        own.Add(_l1, _l1 + _l1Clusters);
        own.Add(_crypto, _crypto + _cryptoClusters);
        foreach (long table in _preallocated.Tables)
        {
            own.Add(table, table + 1);
        }

        if (!_settings.Header.HasDataFile)
        {
            foreach ((_, long host, long count) in _preallocated.Runs)
            {
                own.Add(host, host + count);
            }
        }

        return own;
    }

    /// <summary>Host offset in bytes of the preallocated L2 table with that index.</summary>
    public long TableOffset(int index) => _preallocated.Tables[index] << Layout.ClusterBits;

    /// <summary>The words, as they stand in the file, of the preallocated L2 table with that index.</summary>
    public void FillTable(int index, Span<ulong> table)
    {
        table.Clear();
        long first = (long)index << Layout.L2Bits;
        long end = first + Layout.L2Entries;
        List<(long Guest, long Host, long Count)> runs = _preallocated.Runs;
        for (int i = FirstRunEndingBehind(first); i < runs.Count && runs[i].Guest < end; i++)
        {
            long from = Math.Max(first, runs[i].Guest);
            long to = Math.Min(end, runs[i].Guest + runs[i].Count);
            ulong host = (ulong)(runs[i].Host + (from - runs[i].Guest)) << Layout.ClusterBits;
            for (; from < to; from++, host += (ulong)Layout.ClusterSize)
            {
                table[(int)(from - first) * Layout.L2EntryWords] = L2Table.FromRaw(host | Layout.CopiedFlag);
            }
        }
    }

    /// <summary>Host offsets in bytes of the preallocated L2 tables, in guest order; empty where there are none.</summary>
    public long[] TableOffsets => Array.ConvertAll(_preallocated.Tables, cluster => cluster << Layout.ClusterBits);

    /// <summary>Writes the L1 table.</summary>
    /// <param name="file">The image's file.</param>
    /// <param name="tableOffsets">The L2 tables' host offsets in bytes, 0 for one that is not there; may be shorter than the table.</param>
    public void WriteL1(IBlockFile file, ReadOnlySpan<long> tableOffsets)
    {
        if (_l1 == 0)
        {
            return;
        }

        ulong[] table = new ulong[_settings.Header.L1Entries];
        for (int i = 0; i < tableOffsets.Length; i++)
        {
            table[i] = tableOffsets[i] == 0 ? 0 : L2Table.FromRaw((ulong)tableOffsets[i] | Layout.CopiedFlag);
        }

        file.Write(_l1 << Layout.ClusterBits, MemoryMarshal.AsBytes(table.AsSpan()));
    }

    /// <summary>Writes the preallocated L2 tables and takes the room of the data.</summary>
    /// <param name="file">The image's file.</param>
    /// <param name="data">The external data file, or null.</param>
    public void WritePreallocation(IBlockFile file, IBlockFile? data)
    {
        if (data is { HasFixedSize: false })
        {
            Creator.Occupy(data, 0, _settings.Header.VirtualSize, _settings.Preallocation, isDataFile: true);
        }
        else if (data is null && _preallocated.Runs.Count > 0)
        {
            long start = _settings.Preallocation == Preallocation.Metadata ? 0 : _preallocated.Runs[0].Host;
            Creator.Occupy(file, start << Layout.ClusterBits, _preallocated.DataEnd << Layout.ClusterBits, _settings.Preallocation, isDataFile: false);
        }

        if (_preallocated.Tables.Length == 0)
        {
            return;
        }

        ulong[] words = ArrayPool<ulong>.Shared.Rent(Layout.ClusterSize / sizeof(ulong));
        Span<ulong> table = words.AsSpan(0, Layout.ClusterSize / sizeof(ulong));
        for (int i = 0; i < _preallocated.Tables.Length; i++)
        {
            FillTable(i, table);
            file.Write(TableOffset(i), MemoryMarshal.AsBytes(table));
        }

        ArrayPool<ulong>.Shared.Return(words);
    }

    private int FirstRunEndingBehind(long guestCluster)
    {
        int low = 0;
        int high = _preallocated.Runs.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (long guest, _, long count) = _preallocated.Runs[middle];
            if (guest + count > guestCluster)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }
}
