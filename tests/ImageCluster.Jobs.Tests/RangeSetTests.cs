using CsCheck;
using ImageCluster.Testing;

namespace ImageCluster.Jobs.Tests;

public class RangeSetTests
{
    /// <summary>Any sequence of changes, against a plain set of numbers.</summary>
    [Fact]
    public void Behaves_as_a_set_of_numbers() =>
        Gen.Select(Gen.Bool, Gen.Long[0, 40], Gen.Long[0, 12]).List[0, 40].Holds(changes =>
        {
            RangeSet set = RangeSet.Empty;
            var model = new SortedSet<long>();
            foreach ((bool add, long start, long length) in changes)
            {
                set = add ? set.Add(start, start + length) : set.Remove(start, start + length);
                for (long value = start; value < start + length; value++)
                {
                    _ = add ? model.Add(value) : model.Remove(value);
                }

                Assert.Equal(model, set.Values());
                Assert.Equal(model.Count, set.Count);
                AssertCanonical(set);
                Assert.Equal(model.Any(value => value >= 7 && value < 19), set.Overlaps(7, 19));
                Assert.Equal(Enumerable.Range(7, 5).All(value => model.Contains(value)), set.Contains(7, 12));
                Assert.Equal(model.Take(9), set.Lowest(9).Values());
            }
        });

    [Fact]
    public void Union_and_difference_of_sets() =>
        Gen.Select(Gen.Long[0, 60].Array[0, 30], Gen.Long[0, 60].Array[0, 30]).Holds((a, b) =>
        {
            RangeSet left = a.Aggregate(RangeSet.Empty, (set, value) => set.Add(value));
            RangeSet right = b.Aggregate(RangeSet.Empty, (set, value) => set.Add(value));
            Assert.Equal(a.Union(b).Order(), left.Union(right).Values());
            Assert.Equal(a.Except(b).Order(), left.Except(right).Values());
            Assert.Equal(left, right.Union(left).Except(right.Except(left)));
        });

    [Fact]
    public void Large_numbers_and_text()
    {
        RangeSet set = RangeSet.Of(5, 10).Add(1L << 62, long.MaxValue).Add(3);
        Assert.Equal(3, set.RangeCount);
        Assert.Equal($"3, 5-9, {1L << 62}-{long.MaxValue - 1}", set.ToString());
        Assert.True(set.Contains(long.MaxValue - 1));
        Assert.False(set.Overlaps(10, 1L << 62));
    }

    private static void AssertCanonical(RangeSet set)
    {
        Range64[] ranges = [.. set];
        Assert.All(ranges, range => Assert.True(range.Length > 0));
        Assert.All(ranges.Zip(ranges.Skip(1)), pair => Assert.True(pair.First.End < pair.Second.Start));
    }
}
