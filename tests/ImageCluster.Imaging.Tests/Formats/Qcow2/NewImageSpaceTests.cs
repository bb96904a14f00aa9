using ImageCluster.Imaging.Formats.Qcow2;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Ranges against a plain set; the new image's space against what any allocator must hold to.</summary>
public class NewImageSpaceTests
{
    [Fact]
    public void RangesAreAPlainSet()
    {
        for (int seed = 0; seed < 300; seed++)
        {
            Random random = new(seed);
            ClusterRanges ranges = new();
            HashSet<long> model = [];
            for (int step = 0; step < 60; step++)
            {
                long start = random.Next(100);
                long end = start + random.Next(12);
                if (random.Next(3) > 0)
                {
                    ranges.Add(start, end);
                    model.UnionWith(Numbers(start, end));
                }
                else
                {
                    ranges.Remove(start, end);
                    model.ExceptWith(Numbers(start, end));
                }

                Assert.Equal(model.Order(), ranges.Ranges.SelectMany(r => Numbers(r.Start, r.End)));
                Assert.True(ranges.Ranges.Zip(ranges.Ranges.Skip(1)).All(p => p.First.End < p.Second.Start), $"seed {seed}: ranges touch");
                Assert.Equal(model.Count == 0 ? 0 : model.Max() + 1, ranges.End);
                long at = random.Next(120);
                long count = random.Next(1, 10);
                long first = at;
                while (Numbers(first, first + count).Any(model.Contains))
                {
                    first++;
                }

                Assert.Equal(first, ranges.FirstFree(at, count));
                Assert.Equal(Numbers(at, at + count).TakeWhile(n => !model.Contains(n)).Count(), ranges.FreeAt(at, count));
            }
        }
    }

    [Theory]
    [InlineData(9, 6)]
    [InlineData(9, 4)]
    [InlineData(10, 3)]
    [InlineData(12, 6)]
    [InlineData(16, 0)]
    public void RoomIsGivenOnceAndCounted(int clusterBits, int refcountOrder)
    {
        for (int seed = 0; seed < 20; seed++)
        {
            Random random = new(seed);
            Layout layout = new(new Header { ClusterBits = clusterBits, RefcountOrder = refcountOrder });
            NewImageSpace space = new(layout, "a");
            ClusterRanges given = new();
            given.Add(0, 1);
            Dictionary<long, ulong> sharers = [];
            long floor = 0;
            for (int step = 0; step < 2000; step++)
            {
                long first;
                long count = 1;
                switch (random.Next(10))
                {
                    case < 6:
                        count = random.Next(1, random.Next(4) == 0 ? 300 : 4);
                        first = space.Allocate(count);
                        break;
                    case < 9:
                        int length = random.Next(1, layout.ClusterSize);
                        long offset = space.AllocateBytes(length);
                        first = offset >> clusterBits;
                        count = ((offset + length - 1) >> clusterBits) - first + 1;
                        for (long c = first; c < first + count; c++)
                        {
                            if (sharers.TryGetValue(c, out ulong n))
                            {
                                Assert.True(n < layout.RefcountMax, $"seed {seed}: cluster {c} has too many references");
                                sharers[c] = n + 1;
                            }
                            else
                            {
                                sharers[c] = 1;
                                Assert.False(Has(given, c));
                                given.Add(c, c + 1);
                            }
                        }

                        continue;
                    default:
                        if (step % 100 == 0)
                        {
                            floor = space.End + random.Next(500);
                            space.SkipTo(floor);
                        }

                        continue;
                }

                Assert.True(first >= floor);
                Assert.Equal(count, given.FreeAt(first, count));
                given.Add(first, first + count);
            }

            // What is in use is what was given, passed over, or holds refcounts; all that was given can be counted.
            foreach (long block in space.RefcountBlocks.Values)
            {
                Assert.False(Has(given, block), $"seed {seed}");
                Assert.True(Has(space.Used, block));
            }

            Assert.Equal(space.RefcountTableClusters, given.FreeAt(space.RefcountTable, space.RefcountTableClusters));
            space.PlaceMissingBlocks(given);
            foreach ((long start, long end) in given.Ranges)
            {
                for (long index = start >> layout.RefcountBlockBits; index <= (end - 1) >> layout.RefcountBlockBits; index++)
                {
                    Assert.True(space.RefcountBlocks.ContainsKey(index), $"seed {seed}: no block {index}");
                }
            }

            Assert.True(space.RefcountBlocks.Keys.Max() < space.RefcountTableClusters << (clusterBits - 3));
        }
    }

    private static bool Has(ClusterRanges ranges, long number) => ranges.FreeAt(number, 1) == 0;

    private static IEnumerable<long> Numbers(long start, long end)
    {
        for (long n = start; n < end; n++)
        {
            yield return n;
        }
    }
}
