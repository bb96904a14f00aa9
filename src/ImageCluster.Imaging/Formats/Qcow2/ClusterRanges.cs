namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>A set of numbers (host clusters, or bytes) as sorted ranges that neither overlap nor touch. Costs memory by ranges, not by numbers.</summary>
internal sealed class ClusterRanges
{
    private readonly List<(long Start, long End)> _ranges = [];

    public IReadOnlyList<(long Start, long End)> Ranges => _ranges;

    /// <summary>One behind the last number, 0 where the set is empty.</summary>
    public long End => _ranges.Count == 0 ? 0 : _ranges[^1].End;

    public void Add(long start, long end)
    {
        if (start >= end)
        {
            return;
        }

        int first = FirstEndingAtOrBehind(start);
        int last = first;
        for (; last < _ranges.Count && _ranges[last].Start <= end; last++)
        {
            start = Math.Min(start, _ranges[last].Start);
            end = Math.Max(end, _ranges[last].End);
        }

        if (last == first + 1)
        {
            // What nearly always happens: the last range grows.
            _ranges[first] = (start, end);
            return;
        }

        _ranges.RemoveRange(first, last - first);
        _ranges.Insert(first, (start, end));
    }

    public void Remove(long start, long end)
    {
        if (start >= end)
        {
            return;
        }

        int at = FirstEndingAtOrBehind(start + 1);
        while (at < _ranges.Count && _ranges[at].Start < end)
        {
            (long from, long to) = _ranges[at];
            _ranges.RemoveAt(at);
            if (to > end)
            {
                _ranges.Insert(at, (end, to));
            }

            if (from < start)
            {
                _ranges.Insert(at++, (from, start));
            }
        }
    }

    /// <summary>The start of the first <paramref name="count"/> numbers in a row, from <paramref name="from"/> on, none of which is in the set.</summary>
    public long FirstFree(long from, long count)
    {
        for (int at = FirstEndingAtOrBehind(from + 1); at < _ranges.Count && _ranges[at].Start < from + count; at++)
        {
            from = Math.Max(from, _ranges[at].End);
        }

        return from;
    }

    /// <summary>How many of the <paramref name="count"/> numbers from <paramref name="start"/> on come before the first that is in the set.</summary>
    public long FreeAt(long start, long count)
    {
        int at = FirstEndingAtOrBehind(start + 1);
        return at < _ranges.Count ? Math.Clamp(_ranges[at].Start - start, 0, count) : count;
    }

    /// <summary>Index of the first range whose end is at least <paramref name="number"/>.</summary>
    public int FirstEndingAtOrBehind(long number)
    {
        // The end is where things happen.
        if (_ranges.Count == 0 || _ranges[^1].End < number)
        {
            return _ranges.Count;
        }

        int low = 0;
        int high = _ranges.Count - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_ranges[middle].End >= number)
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
