using System.Runtime.InteropServices;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Which L2 tables the active and the snapshots' L1 tables name, and how often. A check looks at each table once, whatever the number
/// of snapshots that share it, and of entries that a damaged or malicious image points at it. L1 tables that overlap are read once, too.
/// </summary>
internal sealed class L1Census
{
    private const int PieceBytes = 1 << 20;

    private readonly List<Reference> _references = [];

    /// <summary>The active table's entries in the machine's order; those that the file ends before are left out.</summary>
    public ulong[] Active { get; private set; } = [];

    /// <summary>
    /// The snapshots' entries that are not zero, in file order, each with the number of L1 tables that it belongs to, and its index in them; -1 where
    /// tables overlap that do not begin at the same place.
    /// </summary>
    public List<(ulong Entry, uint Times, long Index)> Inactive { get; } = [];

    /// <summary>Reads the tables. Snapshots whose L1 table is out of bounds must be left out.</summary>
    public static L1Census Take(IBlockFile file, Header header, IEnumerable<Snapshot> snapshots)
    {
        L1Census census = new();
        census.Active = ReadEntries(file, header.L1Offset, header.L1Entries);
        foreach (ulong entry in census.Active)
        {
            if (entry != 0)
            {
                census.Add((long)(entry & Layout.OffsetMask), 1, 0);
            }
        }

        census.ReadInactive(file, snapshots);
        census.Merge();
        return census;
    }

    /// <summary>How often the table is referred to.</summary>
    public (uint Active, uint Inactive) Times(long tableOffset)
    {
        int at = Find(tableOffset);
        return (_references[at].Active, _references[at].Inactive);
    }

    /// <summary>True the first time that this is asked of a table.</summary>
    public bool Visit(long tableOffset)
    {
        ref Reference reference = ref CollectionsMarshal.AsSpan(_references)[Find(tableOffset)];
        bool first = !reference.Visited;
        reference.Visited = true;
        return first;
    }

    /// <summary>All tables count as not visited again.</summary>
    public void StartOver()
    {
        foreach (ref Reference reference in CollectionsMarshal.AsSpan(_references))
        {
            reference.Visited = false;
        }
    }

    private static ulong[] ReadEntries(IBlockFile file, long offset, long entries)
    {
        long inFile = Math.Max(0, file.Length - offset + 7) / sizeof(ulong);
        return inFile == 0 || entries == 0 ? [] : Metadata.ReadL1(file, offset, (int)Math.Min(entries, inFile));
    }

    // Adds up, for each place in the file, how many tables cover it, and reads each place once.
    private void ReadInactive(IBlockFile file, IEnumerable<Snapshot> snapshots)
    {
        SortedDictionary<long, List<(long Start, int Change)>> changes = [];
        foreach (Snapshot snapshot in snapshots)
        {
            Note(snapshot.L1Offset, snapshot.L1Offset, 1);
            Note(snapshot.L1Offset + ((long)snapshot.L1Entries * sizeof(ulong)), snapshot.L1Offset, -1);
        }

        long start = 0;
        uint depth = 0;
        Dictionary<long, int> open = [];
        foreach ((long at, List<(long Start, int Change)> changesHere) in changes)
        {
            long begin = open.Count == 1 ? open.Keys.Single() : -1;
            for (long piece = start; depth > 0 && piece < Math.Min(at, file.Length);)
            {
                long length = Math.Min(PieceBytes, at - piece);
                (long run, bool hole) = file.NextRange(piece, Math.Min(length, file.Length - piece));
                if (hole && run >= sizeof(ulong))
                {
                    piece += run & -sizeof(ulong);
                    continue;
                }

                AddInactive(ReadEntries(file, piece, length / sizeof(ulong)), depth, begin < 0 ? -1 : (piece - begin) / sizeof(ulong));
                piece += length;
            }

            start = at;
            foreach ((long table, int change) in changesHere)
            {
                depth = (uint)(depth + change);
                int left = open.GetValueOrDefault(table) + change;
                if (left == 0)
                {
                    open.Remove(table);
                }
                else
                {
                    open[table] = left;
                }
            }
        }

        void Note(long at, long table, int change)
        {
            if (!changes.TryGetValue(at, out List<(long Start, int Change)>? here))
            {
                changes.Add(at, here = []);
            }

            here.Add((table, change));
        }
    }

    private void AddInactive(ulong[] entries, uint times, long index)
    {
        for (int i = 0; i < entries.Length; i++)
        {
            if (entries[i] != 0)
            {
                Inactive.Add((entries[i], times, index < 0 ? -1 : index + i));
                Add((long)(entries[i] & Layout.OffsetMask), 0, times);
            }
        }
    }

    private void Add(long offset, uint active, uint inactive)
    {
        if (_references.Count > 0 && _references[^1].Offset == offset)
        {
            ref Reference last = ref CollectionsMarshal.AsSpan(_references)[^1];
            last.Active += active;
            last.Inactive += inactive;
        }
        else
        {
            _references.Add(new Reference(offset, active, inactive));
        }
    }

    private void Merge()
    {
        _references.Sort(static (a, b) => a.Offset.CompareTo(b.Offset));
        Span<Reference> all = CollectionsMarshal.AsSpan(_references);
        int kept = 0;
        for (int i = 0; i < all.Length; i++)
        {
            if (kept > 0 && all[kept - 1].Offset == all[i].Offset)
            {
                all[kept - 1].Active += all[i].Active;
                all[kept - 1].Inactive += all[i].Inactive;
            }
            else
            {
                all[kept++] = all[i];
            }
        }

        _references.RemoveRange(kept, _references.Count - kept);
        _references.TrimExcess();
    }

    private int Find(long tableOffset)
    {
        ReadOnlySpan<Reference> all = CollectionsMarshal.AsSpan(_references);
        int low = 0;
        for (int high = all.Length - 1; low < high;)
        {
            int middle = (low + high) >>> 1;
            (low, high) = all[middle].Offset < tableOffset ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private struct Reference(long offset, uint active, uint inactive)
    {
        public readonly long Offset = offset;
        public uint Active = active;
        public uint Inactive = inactive;
        public bool Visited;
    }
}
