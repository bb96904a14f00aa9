using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Rids an image of zero clusters, of which version 2 knows nothing, in the active tables and those of snapshots: they become clusters of
/// written zeros, or nothing where nothing lies below that would shine through. Zeros are written before an entry names them, and room is freed
/// after. Nobody else uses the image meanwhile, all its tables are in the file, and it is marked dirty.
/// </summary>
internal sealed class ZeroExpander
{
    private readonly Metadata _metadata;
    private readonly Layout _layout;
    private readonly Refcounts _refcounts;
    private readonly L1Census _census;
    private readonly L2Table _table;
    private readonly List<(long Cluster, uint Times)> _unused = [];
    private long _tableOffset;
    private long _tableGuestOffset;

    /// <param name="metadata">The image's state.</param>
    /// <param name="refcounts">Its refcounts.</param>
    /// <param name="snapshots">All its snapshots.</param>
    public ZeroExpander(Metadata metadata, Refcounts refcounts, IReadOnlyList<Snapshot> snapshots)
    {
        _metadata = metadata;
        _layout = metadata.Layout;
        _refcounts = refcounts;
        _table = new L2Table(0, _layout.ClusterSize / sizeof(ulong));
        foreach (Snapshot snapshot in snapshots)
        {
            SnapshotTable.CheckPlace(snapshot, _layout, metadata.File.Name);
        }

        _census = L1Census.Take(metadata.File, metadata.Header, snapshots);
    }

    private IBlockFile File => _metadata.File;

    /// <summary>Written zeros of an encrypted image are encrypted by this; null where there is none.</summary>
    public ISectorCipher? Cipher { get; init; }

    /// <summary>Told tables done, and about all of them.</summary>
    public Action<long, long>? Progress { get; init; }

    /// <summary>False where a table belongs to snapshots' tables that overlap, so that nobody can tell which part of the disk it maps.</summary>
    public bool KnowsEveryPlace => _census.Inactive.TrueForAll(static inactive => inactive.Index >= 0);

    /// <summary>True where any table has a compressed cluster.</summary>
    public bool FindsCompressed()
    {
        bool found = false;
        ForEachTable((_, _) =>
        {
            for (int index = 0; index < _layout.L2Entries && !found; index++)
            {
                found = ClusterEntry.Read(_table, index, _metadata).IsCompressed;
            }
        });
        return found;
    }

    public void Run()
    {
        long done = 0;
        ForEachTable((offset, times) =>
        {
            if (Expand(times))
            {
                _refcounts.Write();
                File.Flush();
                File.Write(offset, _table.Bytes);
                FreeUnused();
            }

            Progress?.Invoke(++done, _census.Active.Length + _census.Inactive.Count);
        });
        _refcounts.Write();
        File.Flush();
    }

    private void ForEachTable(Action<long, uint> action)
    {
        _census.StartOver();
        int index = 0;
        foreach ((ulong entry, long place) in _census.Active.Select(static (entry, place) => (entry, (long)place)).Concat(_census.Inactive.Select(static inactive => (inactive.Entry, inactive.Index))))
        {
            int l1Index = index++;
            long offset = (long)(entry & Layout.OffsetMask);
            if (offset == 0 || !_census.Visit(offset))
            {
                continue;
            }

            if (!_layout.IsClusterAligned(offset))
            {
                // Snapshots' tables are not told apart.
                throw Corrupt(l1Index < _census.Active.Length ? BadEntry.L2Table(offset, l1Index) : BadEntry.L2Table(offset));
            }

            (uint active, uint inactive) = _census.Times(offset);
            File.ReadPadded(offset, _table.Bytes);
            _tableOffset = offset;
            _tableGuestOffset = place * _layout.L2Entries << _layout.ClusterBits;
            action(offset, active + inactive);
        }
    }

    // Each entry stands for as many references as its table has.
    private bool Expand(uint times)
    {
        bool changed = false;
        for (int index = 0; index < _layout.L2Entries; index++)
        {
            ClusterEntry entry = ClusterEntry.Read(_table, index, _metadata);
            if (entry.IsCompressed || entry.Zero == 0)
            {
                continue;
            }

            if (entry.Host >= 0 && !_layout.IsClusterAligned(entry.Host))
            {
                throw Corrupt(BadEntry.Cluster(entry.Host, _tableOffset, index));
            }

            _table[index] = entry.Host >= 0 && !IsShared(entry.Host, times) ? WriteOwn(entry.Host, index, times) : WriteNew(index, times);
            if (entry.Host >= 0 && (_table[index] & Layout.OffsetMask) != (ulong)entry.Host)
            {
                _unused.Add((entry.Host >> _layout.ClusterBits, times));
            }

            changed = true;
        }

        return changed;
    }

    // A cluster that an entry names but does not use may hold what other tables do use.
    private bool IsShared(long host, uint times) => _refcounts.Get(host >> _layout.ClusterBits) > times;

    private ulong WriteOwn(long host, int index, uint times)
    {
        _refcounts.Overlap.Require(host, _layout.ClusterSize);
        return WriteZeros(host, index, times);
    }

    private ulong WriteNew(int index, uint times)
    {
        if (_metadata.Header.Backing is null)
        {
            return 0;
        }

        long cluster = _refcounts.Allocate(1);
        if (times > _layout.RefcountMax)
        {
            throw new ImageException(ImageErrorKind.Limit, File.Name, $"Refcount of cluster {cluster} is at its maximum, {_layout.RefcountMax}");
        }

        _refcounts.Set(cluster, times);
        return WriteZeros(cluster << _layout.ClusterBits, index, times);
    }

    private ulong WriteZeros(long host, int index, uint times)
    {
        if (Cipher is null)
        {
            File.WriteZeroes(host, _layout.ClusterSize, ZeroMode.KeepAllocated);
        }
        else
        {
            byte[] cluster = new byte[_layout.ClusterSize];
            Cipher.Encrypt(_tableGuestOffset + ((long)index << _layout.ClusterBits), host, cluster);
            File.Write(host, cluster);
        }

        return times == 1 ? (ulong)host | Layout.CopiedFlag : (ulong)host;
    }

    private void FreeUnused()
    {
        if (_unused.Count == 0)
        {
            return;
        }

        File.Flush();
        foreach ((long cluster, uint times) in _unused)
        {
            for (uint i = 0; i < times; i++)
            {
                _refcounts.Decrease(cluster);
            }
        }

        _unused.Clear();
    }


    private ImageException Corrupt(string message) => _metadata.Signal(message);
}
