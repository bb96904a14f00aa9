namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>What a server last said of its extents: a few runs of them, the one used last in front.</summary>
/// <param name="ask">Asks the server about a range; returns what it says from its start on, at least one extent.</param>
/// <param name="export">The export.</param>
internal sealed class NbdExtentCache(Func<long, uint, List<NbdExtent>> ask, NbdExport export)
{
    private const int MaxRuns = 16;

    // One question is about so many bytes at the most: less where the answers are too long to be kept.
    private const long MostAsked = 2L << 30;
    private const long LeastAsked = 16L << 20;

    private readonly Lock _gate = new();
    private readonly List<Run> _runs = [];
    private long _asked = MostAsked;
    private long _generation;

    /// <summary>Forgets all: the content has changed.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            _generation++;
            _runs.Clear();
        }
    }

    /// <summary>What stands at <paramref name="offset"/>, for 1 to <paramref name="length"/> bytes; asks the server where that is not known.</summary>
    public NbdExtent Find(long offset, long length)
    {
        if (Known(offset, length) is { } known)
        {
            return known;
        }

        long generation;
        long asked;
        lock (_gate)
        {
            (generation, asked) = (_generation, _asked);
        }

        long block = export.MinimumBlock;
        long start = offset / block * block;
        var span = (uint)(Math.Min(asked, export.Size - start) / block * block);
        var run = new Run(start, Checked(start, ask(start, span)));
        lock (_gate)
        {
            if (run.Extents.Length >= NbdRequest.MaxExtents)
            {
                _asked = Math.Max(LeastAsked, _asked / 2);
            }

            if (_generation == generation)
            {
                _runs.Insert(0, run);
                _runs.RemoveRange(Math.Min(_runs.Count, MaxRuns), Math.Max(0, _runs.Count - MaxRuns));
            }
        }

        return run.Find(offset, length);
    }

    /// <summary>As <see cref="Find"/> without asking; null where it is not known.</summary>
    public NbdExtent? Known(long offset, long length)
    {
        lock (_gate)
        {
            for (int i = 0; i < _runs.Count; i++)
            {
                Run run = _runs[i];
                if (offset >= run.Start && offset < run.End)
                {
                    if (i > 0)
                    {
                        _runs.RemoveAt(i);
                        _runs.Insert(0, run);
                    }

                    return run.Find(offset, length);
                }
            }
        }

        return null;
    }

    // Extents that end within a block, or beyond the export, are the server's mistake; what they say of whole blocks is taken.
    private (long End, NbdAllocation State)[] Checked(long start, List<NbdExtent> extents)
    {
        List<(long End, NbdAllocation State)> found = new(extents.Count);
        long at = start;
        foreach (NbdExtent extent in extents)
        {
            long end = Math.Min(export.Size, at + extent.Length);
            long whole = end / export.MinimumBlock * export.MinimumBlock;
            if (end != whole && end != export.Size)
            {
                found.Add(whole > at ? (whole, extent.State) : (at + export.MinimumBlock, NbdAllocation.Data));
                break;
            }

            found.Add((end, extent.State));
            at = end;
            if (at == export.Size)
            {
                break;
            }
        }

        return [.. found];
    }

    private sealed class Run(long start, (long End, NbdAllocation State)[] extents)
    {
        public long Start => start;

        public long End => extents[^1].End;

        public (long End, NbdAllocation State)[] Extents => extents;

        public NbdExtent Find(long offset, long length)
        {
            int low = 0;
            for (int high = extents.Length - 1; low < high;)
            {
                int middle = (low + high) / 2;
                (low, high) = extents[middle].End > offset ? (low, middle) : (middle + 1, high);
            }

            return new NbdExtent(Math.Min(length, extents[low].End - offset), extents[low].State);
        }
    }
}
