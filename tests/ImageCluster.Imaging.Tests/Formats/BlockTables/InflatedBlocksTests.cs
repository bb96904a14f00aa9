using ImageCluster.Imaging.Formats.BlockTables;

namespace ImageCluster.Imaging.Tests.Formats.BlockTables;

public sealed class InflatedBlocksTests
{
    private readonly List<long> _inflated = [];

    [Fact]
    public void WhatWasUsedLastIsKeptAndTheRestIsInflatedAgain()
    {
        InflatedBlocks blocks = new(maxBytes: 3 * 10);
        Get(blocks, 1, 2, 3, 1, 4, 1, 3, 2);

        // 4 takes the place of 2, 2 that of 4.
        Assert.Equal([1, 2, 3, 4, 2], _inflated);
    }

    [Fact]
    public void ABlockLargerThanTheLimitIsKeptAlone()
    {
        InflatedBlocks blocks = new(maxBytes: 5);
        Get(blocks, 1, 1, 2, 2, 1);
        Assert.Equal([1, 2, 1], _inflated);
    }

    [Fact]
    public void AFailureIsNotKept()
    {
        InflatedBlocks blocks = new();
        Assert.Throws<FormatException>(() => blocks.Get(7, 10, () => throw new FormatException()));
        Get(blocks, 7, 7);
        Assert.Equal([7], _inflated);
    }

    private void Get(InflatedBlocks blocks, params long[] numbers)
    {
        foreach (long number in numbers)
        {
            byte[] bytes = blocks.Get(number, 10, () =>
            {
                _inflated.Add(number);
                return [(byte)number];
            });
            Assert.Equal([(byte)number], bytes);
        }
    }
}
