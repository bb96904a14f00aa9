using System.Collections.Concurrent;
using System.Numerics;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// The L2 tables that were used last, by host offset: one copy of each, shared by all threads. Finding one takes no lock; loading one locks only
/// those that want a table of the same set. A writer pins the tables that it changes, so that nobody reads the old ones from the file.
/// </summary>
internal sealed class L2Cache
{
    /// <summary>Memory for tables in bytes, unless a few tables alone take more.</summary>
    private const int Budget = 4 << 20;

    private const int Ways = 4;
    private const int MaxSets = 1024;

    private readonly IBlockFile _file;
    private readonly int _clusterBits;
    private readonly int _setBits;
    private readonly L2Table?[] _tables;
    private readonly byte[] _next;
    private readonly Lock[] _locks;
    private readonly ConcurrentDictionary<long, L2Table> _pinned = new();

    public L2Cache(IBlockFile file, Layout layout)
    {
        _file = file;
        _clusterBits = layout.ClusterBits;
        int sets = Math.Clamp((Budget >> layout.ClusterBits) / Ways, 1, MaxSets);
        _setBits = BitOperations.Log2((uint)sets);
        _tables = new L2Table?[Ways << _setBits];
        _next = new byte[1 << _setBits];
        _locks = new Lock[Math.Min(16, 1 << _setBits)];
        for (int i = 0; i < _locks.Length; i++)
        {
            _locks[i] = new Lock();
        }
    }

    /// <summary>The table at <paramref name="hostOffset"/> (bytes, cluster-aligned), read from the file where it is not here yet.</summary>
    /// <exception cref="ImageException">The file ends before the table starts.</exception>
    public L2Table Get(long hostOffset)
    {
        int set = SetOf(hostOffset);
        return Find(set, hostOffset) ?? Load(set, hostOffset);
    }

    /// <summary>As <see cref="Get"/>; the table stays here until <see cref="Unpin"/>, so that changes to it are seen by everyone.</summary>
    public L2Table Pin(long hostOffset)
    {
        int set = SetOf(hostOffset);
        lock (LockOf(set))
        {
            L2Table table = Find(set, hostOffset) ?? LoadLocked(set, hostOffset);
            return _pinned.GetOrAdd(hostOffset, table);
        }
    }

    /// <summary>A new, empty table at <paramref name="hostOffset"/>, pinned; nothing is read from the file.</summary>
    public L2Table PinNew(long hostOffset)
    {
        L2Table table = new(hostOffset, 1 << (_clusterBits - 3));
        int set = SetOf(hostOffset);
        lock (LockOf(set))
        {
            Drop(set, hostOffset);
            _pinned[hostOffset] = table;
            Put(set, table);
        }

        return table;
    }

    /// <summary>What is in the file is what is in memory: the table may be dropped.</summary>
    public void Unpin(long hostOffset) => _pinned.TryRemove(hostOffset, out _);

    /// <summary>The cluster is no L2 table any more: forgets it.</summary>
    public void Forget(long hostOffset)
    {
        int set = SetOf(hostOffset);
        lock (LockOf(set))
        {
            _pinned.TryRemove(hostOffset, out _);
            Drop(set, hostOffset);
        }
    }

    /// <summary>Forgets every table. Nobody may have one pinned, or be reading.</summary>
    public void Clear()
    {
        _pinned.Clear();
        Array.Clear(_tables);
    }

    private int SetOf(long hostOffset) =>
        _setBits == 0 ? 0 : (int)((ulong)(hostOffset >> _clusterBits) * 0x9E3779B97F4A7C15UL >> (64 - _setBits));

    private Lock LockOf(int set) => _locks[set & (_locks.Length - 1)];

    private L2Table? Find(int set, long hostOffset)
    {
        int first = set * Ways;
        for (int i = first; i < first + Ways; i++)
        {
            L2Table? table = Volatile.Read(ref _tables[i]);
            if (table is not null && table.HostOffset == hostOffset)
            {
                return table;
            }
        }

        return null;
    }

    private L2Table Load(int set, long hostOffset)
    {
        lock (LockOf(set))
        {
            return Find(set, hostOffset) ?? LoadLocked(set, hostOffset);
        }
    }

    private L2Table LoadLocked(int set, long hostOffset)
    {
        if (!_pinned.TryGetValue(hostOffset, out L2Table? table))
        {
            table = new L2Table(hostOffset, 1 << (_clusterBits - 3));
            _file.Tell("l2_load");
            int read = _file.Read(hostOffset, table.Bytes);
            if (read == 0)
            {
                throw new ImageException(ImageErrorKind.Truncated, _file.Name, $"L2 table at offset 0x{hostOffset:x} lies beyond the end of the file");
            }
        }

        Put(set, table);
        return table;
    }

    private void Put(int set, L2Table table) => Volatile.Write(ref _tables[(set * Ways) + (_next[set]++ & (Ways - 1))], table);

    private void Drop(int set, long hostOffset)
    {
        int first = set * Ways;
        for (int i = first; i < first + Ways; i++)
        {
            if (_tables[i]?.HostOffset == hostOffset)
            {
                Volatile.Write(ref _tables[i], null);
            }
        }
    }
}
