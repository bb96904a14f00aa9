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
    private readonly string? _file;
    private readonly long _l1;
    private readonly long _fileEnd;
    private readonly PreallocatedClusters _preallocated;

    public NewImage(CreateSettings settings, string? file)
    {
        _settings = settings;
        _file = file;
        Layout = new Layout(settings.Header);
        Space = new NewImageSpace(Layout, file);
        long l1Clusters = RefcountMath.DivideUp(settings.Header.L1Entries * (long)sizeof(ulong), Layout.ClusterSize);
        _l1 = l1Clusters == 0 ? 0 : Space.Allocate(l1Clusters);
        _fileEnd = Space.End;
        _preallocated = settings.Preallocation == Preallocation.Off
            ? new PreallocatedClusters([], [], 0)
            : Preallocator.Allocate(settings, Layout, Space, _fileEnd);
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
    };

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
        if (data is not null)
        {
            Creator.Occupy(data, 0, _settings.Header.VirtualSize, _settings.Preallocation);
        }
        else if (_preallocated.Runs.Count > 0)
        {
            long start = _settings.Preallocation == Preallocation.Metadata ? 0 : _preallocated.Runs[0].Host;
            Creator.Occupy(file, start << Layout.ClusterBits, _preallocated.DataEnd << Layout.ClusterBits, _settings.Preallocation);
        }

        if (_preallocated.Tables.Length == 0)
        {
            return;
        }

        ulong[] words = ArrayPool<ulong>.Shared.Rent(Layout.ClusterSize / sizeof(ulong));
        Span<ulong> table = words.AsSpan(0, Layout.ClusterSize / sizeof(ulong));
        table.Clear();
        int index = 0;
        foreach ((long guest, long host, long count) in _preallocated.Runs)
        {
            for (long i = 0; i < count; i++)
            {
                int entry = (int)(guest + i) & (Layout.L2Entries - 1);
                if (entry == 0 && guest + i > 0)
                {
                    WriteTable(file, index++, table);
                }

                table[entry * Layout.L2EntryWords] = L2Table.FromRaw((ulong)((host + i) << Layout.ClusterBits) | Layout.CopiedFlag);
            }
        }

        WriteTable(file, index, table);
        ArrayPool<ulong>.Shared.Return(words);
    }

    private void WriteTable(IBlockFile file, int index, Span<ulong> table)
    {
        file.Write(_preallocated.Tables[index] << Layout.ClusterBits, MemoryMarshal.AsBytes(table));
        table.Clear();
    }
}
