namespace ImageCluster.Imaging.Extents;

/// <summary>
/// Operations on sequences of extents that are ordered by start and do not overlap. Sequences are lazy: a disk of any size is walked
/// without being held.
/// </summary>
public static class ExtentAlgebra
{
    /// <summary>Joins neighbours that continue each other (<see cref="Extent.Joins"/>).</summary>
    public static IEnumerable<Extent> Coalesce(this IEnumerable<Extent> extents)
    {
        Extent? held = null;
        foreach (Extent extent in extents)
        {
            if (held is not { } previous)
            {
                held = extent;
            }
            else if (previous.Joins(extent))
            {
                held = previous with { Length = previous.Length + extent.Length };
            }
            else
            {
                yield return previous;
                held = extent;
            }
        }

        if (held is { } last)
        {
            yield return last;
        }
    }

    /// <summary>What lies in the guest bytes from <paramref name="start"/> to the one before <paramref name="end"/>, cut at these borders.</summary>
    public static IEnumerable<Extent> Clip(this IEnumerable<Extent> extents, long start, long end) => extents
        .SkipWhile(extent => extent.End <= start)
        .TakeWhile(extent => extent.Start < end && start < end)
        .Select(extent => extent.Slice(start, end));

    /// <summary>
    /// What shows when <paramref name="upper"/> lies over <paramref name="lower"/>: the upper's extents, and the lower's where the upper has
    /// none or says absent.
    /// </summary>
    public static IEnumerable<Extent> Over(this IEnumerable<Extent> upper, IEnumerable<Extent> lower)
    {
        using IEnumerator<Extent> below = lower.GetEnumerator();
        bool more = below.MoveNext();
        long from = 0;
        foreach (Extent extent in upper.Where(e => e.Kind != ExtentKind.Absent))
        {
            for (; more && below.Current.Start < extent.Start; more = below.MoveNext())
            {
                long start = Math.Max(from, below.Current.Start);
                if (below.Current.End > start && start < extent.Start)
                {
                    yield return below.Current.Slice(start, extent.Start);
                }

                if (below.Current.End > extent.Start)
                {
                    break;
                }
            }

            yield return extent;
            from = extent.End;
        }

        for (; more; more = below.MoveNext())
        {
            if (below.Current.End > from)
            {
                yield return below.Current.Slice(Math.Max(from, below.Current.Start), below.Current.End);
            }
        }
    }

    /// <summary>Guest bytes that are of one of the kinds.</summary>
    public static long TotalLength(this IEnumerable<Extent> extents, params ReadOnlySpan<ExtentKind> kinds)
    {
        long total = 0;
        foreach (Extent extent in extents)
        {
            total += kinds.Contains(extent.Kind) ? extent.Length : 0;
        }

        return total;
    }
}
