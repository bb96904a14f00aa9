using System.Collections;
using System.Collections.Immutable;

namespace ImageCluster.Jobs;

/// <summary>
/// An immutable set of whole numbers from 0 on, kept as ranges: shards of a disk, or bytes of a file. Takes memory by the number
/// of ranges; every change takes time by their logarithm and by the ranges it covers.
/// </summary>
public sealed class RangeSet : IEnumerable<Range64>, IEquatable<RangeSet>
{
    private static readonly IComparer<Range64> ByStart = Comparer<Range64>.Create((a, b) => a.Start.CompareTo(b.Start));

    // Ranges neither overlap nor touch.
    private readonly ImmutableSortedSet<Range64> _ranges;

    private RangeSet(ImmutableSortedSet<Range64> ranges, long count)
    {
        _ranges = ranges;
        Count = count;
    }

    public static RangeSet Empty { get; } = new(ImmutableSortedSet.Create(ByStart), 0);

    /// <summary>How many numbers are in the set.</summary>
    public long Count { get; }

    public bool IsEmpty => Count == 0;

    public int RangeCount => _ranges.Count;

    public static RangeSet Of(long start, long end) => Empty.Add(start, end);

    /// <summary>With the numbers from <paramref name="start"/> to before <paramref name="end"/>.</summary>
    public RangeSet Add(long start, long end)
    {
        if (start >= end)
        {
            return this;
        }

        (long from, long to, long count) = (start, end, Count);
        ImmutableSortedSet<Range64> ranges = _ranges;
        foreach (Range64 range in Touching(start, end))
        {
            ranges = ranges.Remove(range);
            count -= range.Length;
            (from, to) = (Math.Min(from, range.Start), Math.Max(to, range.End));
        }

        return new RangeSet(ranges.Add(new Range64(from, to)), count + (to - from));
    }

    public RangeSet Add(long value) => Add(value, value + 1);

    public RangeSet Union(RangeSet other) => other.Aggregate(this, (set, range) => set.Add(range.Start, range.End));

    /// <summary>Without the numbers from <paramref name="start"/> to before <paramref name="end"/>.</summary>
    public RangeSet Remove(long start, long end)
    {
        if (start >= end)
        {
            return this;
        }

        long count = Count;
        ImmutableSortedSet<Range64> ranges = _ranges;
        foreach (Range64 range in Touching(start, end).Where(range => range.Start < end && range.End > start))
        {
            ranges = ranges.Remove(range);
            ranges = range.Start < start ? ranges.Add(new Range64(range.Start, start)) : ranges;
            ranges = range.End > end ? ranges.Add(new Range64(end, range.End)) : ranges;
            count -= Math.Min(end, range.End) - Math.Max(start, range.Start);
        }

        return new RangeSet(ranges, count);
    }

    public RangeSet Remove(long value) => Remove(value, value + 1);

    public RangeSet Except(RangeSet other) => other.Aggregate(this, (set, range) => set.Remove(range.Start, range.End));

    public bool Contains(long value) => Contains(value, value + 1);

    /// <summary>True where all the numbers from <paramref name="start"/> to before <paramref name="end"/> are in the set.</summary>
    public bool Contains(long start, long end) => start >= end || (IndexBefore(start) is var i and >= 0 && _ranges[i].End >= end);

    /// <summary>True where any of the numbers from <paramref name="start"/> to before <paramref name="end"/> is in the set.</summary>
    public bool Overlaps(long start, long end) =>
        start < end && Touching(start, end).Any(range => range.Start < end && range.End > start);

    /// <summary>The lowest <paramref name="count"/> numbers, or all where there are fewer.</summary>
    public RangeSet Lowest(long count)
    {
        RangeSet lowest = Empty;
        foreach (Range64 range in this)
        {
            if (count <= 0)
            {
                break;
            }

            long length = Math.Min(count, range.Length);
            lowest = lowest.Add(range.Start, range.Start + length);
            count -= length;
        }

        return lowest;
    }

    /// <summary>The numbers one by one.</summary>
    public IEnumerable<long> Values()
    {
        foreach (Range64 range in this)
        {
            for (long value = range.Start; value < range.End; value++)
            {
                yield return value;
            }
        }
    }

    public IEnumerator<Range64> GetEnumerator() => _ranges.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public bool Equals(RangeSet? other) => other is not null && Count == other.Count && this.SequenceEqual(other);

    public override bool Equals(object? obj) => Equals(obj as RangeSet);

    public override int GetHashCode() => HashCode.Combine(Count, _ranges.Count);

    /// <summary>As <c>0-4, 7</c>, ends included.</summary>
    public override string ToString() =>
        string.Join(", ", this.Select(range => range.Length == 1 ? $"{range.Start}" : $"{range.Start}-{range.End - 1}"));

    // The ranges that overlap or touch [start, end), in order.
    private IEnumerable<Range64> Touching(long start, long end)
    {
        for (int i = Math.Max(0, IndexBefore(start)); i < _ranges.Count && _ranges[i].Start <= end; i++)
        {
            if (_ranges[i].End >= start)
            {
                yield return _ranges[i];
            }
        }
    }

    // The index of the last range that starts at or before the value, or -1.
    private int IndexBefore(long value)
    {
        int index = _ranges.IndexOf(new Range64(value, value));
        return index >= 0 ? index : ~index - 1;
    }
}
