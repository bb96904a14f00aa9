using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Counts how many compressed clusters refer to each host cluster, by reading the shards' L2 tables anew for each refcount block: each shard is read about
/// once, because its room is mostly in one place, and memory is one table.
/// </summary>
internal sealed class PackedCounter
{
    private readonly IBlockFile _file;
    private readonly Layout _layout;
    private readonly L2Table _table;
    private readonly List<(long Start, long End, ShardManifest Shard)> _shards = [];

    /// <param name="file">The image's file, tables written.</param>
    /// <param name="layout">Its geometry.</param>
    /// <param name="shards">The shards that hold compressed clusters.</param>
    public PackedCounter(IBlockFile file, Layout layout, List<ShardManifest> shards)
    {
        _file = file;
        _layout = layout;
        _table = new L2Table(0, layout.ClusterSize / sizeof(ulong));
        foreach (ShardManifest shard in shards)
        {
            IEnumerable<RoomExtent> rooms = shard.Rooms.Where(room => room.References == 0);
            _shards.Add((rooms.Min(room => room.Start), rooms.Max(room => room.Start + room.Length), shard));
        }
    }

    /// <summary>Adds the counts to the refcount block of a table index.</summary>
    public void AddTo(long index, Span<byte> block)
    {
        long first = index << _layout.RefcountBlockBits;
        long start = first << _layout.ClusterBits;
        long end = (first + _layout.RefcountBlockEntries) << _layout.ClusterBits;
        foreach ((long from, long to, ShardManifest shard) in _shards)
        {
            if (from < end && to > start)
            {
                foreach (long table in shard.Tables)
                {
                    AddTable(table, first, block);
                }
            }
        }
    }

    private void AddTable(long offset, long first, Span<byte> block)
    {
        if (offset == 0)
        {
            return;
        }

        _file.ReadExactly(offset, _table.Bytes, "an L2 table");
        for (int i = 0; i < _layout.L2Entries; i++)
        {
            ulong entry = _table[i * _layout.L2EntryWords];
            if ((entry & Layout.CompressedFlag) == 0)
            {
                continue;
            }

            // One may end in the cluster behind the one that it starts in.
            long host = _layout.CompressedOffset(entry);
            long last = (host + _layout.CompressedLength(entry) - 1) >> _layout.ClusterBits;
            for (long cluster = host >> _layout.ClusterBits; cluster <= last; cluster++)
            {
                long at = cluster - first;
                if (at >= 0 && at < _layout.RefcountBlockEntries)
                {
                    Increment(block, (int)at);
                }
            }
        }
    }

    private void Increment(Span<byte> block, int at)
    {
        ulong count = RefcountArray.Get(block, _layout.RefcountOrder, at);
        if (count == _layout.RefcountMax)
        {
            throw new ImageException(ImageErrorKind.Limit, _file.Name, "More compressed clusters share a host cluster than a refcount can count");
        }

        RefcountArray.Set(block, _layout.RefcountOrder, at, count + 1);
    }
}
