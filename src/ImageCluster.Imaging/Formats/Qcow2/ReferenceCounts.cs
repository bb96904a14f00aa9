using System.Numerics;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// How often each cluster of a file is referred to, as a check finds it. Takes memory for clusters that are referred to, not for
/// the file's length: two or three bits a cluster where they lie together and most counts are one.
/// </summary>
internal sealed class ReferenceCounts
{
    private const int PageBits = 6;
    private const int PageClusters = 1 << PageBits;
    private const int GroupBits = 16;

    private readonly ulong _max;
    private readonly Dictionary<long, Page> _pages = [];

    // Numbers of the groups that have a page, to pass over the others.
    private readonly SortedSet<long> _groups = [];

    // Counts that a page cannot hold.
    private readonly Dictionary<long, ulong> _large = [];
    private Page? _last;
    private long _lastKey = -1;

    /// <param name="max">The greatest count that the image can hold.</param>
    /// <param name="clusters">Clusters of the file.</param>
    public ReferenceCounts(ulong max, long clusters)
    {
        _max = max;
        Clusters = clusters;
    }

    /// <summary>Number of clusters that are looked at: those of the file, or up to the last that was counted.</summary>
    public long Clusters { get; private set; }

    public ulong this[long cluster]
    {
        get
        {
            Page? page = Find(cluster >> PageBits);
            int index = (int)cluster & (PageClusters - 1);
            if (page is null || (page.Bits >> index & 1) == 0)
            {
                return 0;
            }

            ulong count = page.Counts is null ? 1UL : page.Counts[index];
            return count < ushort.MaxValue ? count : _large[cluster];
        }
    }

    /// <summary>Adds references and returns how many of them are beyond the greatest count, and not added.</summary>
    public ulong Add(long cluster, ulong times)
    {
        Clusters = Math.Max(Clusters, cluster + 1);
        ulong before = this[cluster];
        ulong added = Math.Min(times, _max - before);
        if (added > 0)
        {
            Set(cluster, before + added);
        }

        return times - added;
    }

    /// <summary>The file got longer.</summary>
    public void Grow(long clusters) => Clusters = Math.Max(Clusters, clusters);

    public void Clear()
    {
        _pages.Clear();
        _groups.Clear();
        _large.Clear();
        _last = null;
        _lastKey = -1;
    }

    /// <summary>The first cluster in [<paramref name="from"/>, <paramref name="to"/>) with references; <paramref name="to"/> where there is none.</summary>
    public long NextUsed(long from, long to)
    {
        while (from < to)
        {
            long group = from >> GroupBits;
            if (!_groups.Contains(group))
            {
                // The least of none is 0, which is not later than any.
                long later = _groups.GetViewBetween(group, long.MaxValue).Min;
                if (later == 0)
                {
                    return to;
                }

                from = later << GroupBits;
                continue;
            }

            long groupEnd = Math.Min(to, (group + 1) << GroupBits);
            for (; from < groupEnd; from = (from >> PageBits << PageBits) + PageClusters)
            {
                ulong bits = (Find(from >> PageBits)?.Bits ?? 0) >> ((int)from & (PageClusters - 1));
                if (bits != 0)
                {
                    return Math.Min(to, from + BitOperations.TrailingZeroCount(bits));
                }
            }

            from = (group + 1) << GroupBits;
        }

        return to;
    }

    /// <summary>
    /// Takes the first run of <paramref name="count"/> clusters without references from <paramref name="firstFree"/> on, behind the file's end where there is none
    /// before it. <paramref name="firstFree"/> becomes the first free cluster found.
    /// </summary>
    public long Take(long count, ref long firstFree)
    {
        long start = firstFree;
        bool first = true;
        long at = start;
        while (at < Clusters && at - start < count)
        {
            if (this[at] != 0)
            {
                start = ++at;
                continue;
            }

            if (first)
            {
                first = false;
                firstFree = at;
            }

            at++;
        }

        for (long cluster = start; cluster < start + count; cluster++)
        {
            Add(cluster, 1);
        }

        return start;
    }

    private Page? Find(long key)
    {
        if (key != _lastKey)
        {
            _last = _pages.GetValueOrDefault(key);
            _lastKey = key;
        }

        return _last;
    }

    private void Set(long cluster, ulong count)
    {
        long key = cluster >> PageBits;
        Page? page = Find(key);
        if (page is null)
        {
            page = new Page();
            _pages.Add(key, page);
            _groups.Add(cluster >> GroupBits);
            _last = page;
        }

        int index = (int)cluster & (PageClusters - 1);
        if (count > 1 && page.Counts is null)
        {
            page.Counts = new ushort[PageClusters];
            page.Counts.AsSpan().Fill(1);
        }

        page.Bits |= 1UL << index;
        page.Counts?[index] = (ushort)Math.Min(count, ushort.MaxValue);
        if (count >= ushort.MaxValue)
        {
            _large[cluster] = count;
        }
    }

    private sealed class Page
    {
        /// <summary>A bit for each cluster that has a reference.</summary>
        public ulong Bits;

        /// <summary>The counts, where any is above one.</summary>
        public ushort[]? Counts;
    }
}
