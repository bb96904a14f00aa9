using ImageCluster.Imaging.Storage.Nbd;
using ImageCluster.Testing;

namespace ImageCluster.Imaging.Tests.Storage.Nbd;

public sealed class NbdCoverageTests
{
    [Fact]
    public void AnyOrderOfPiecesCovers()
    {
        Random random = new(TestSeed.Value);
        for (int round = 0; round < 200; round++)
        {
            const uint length = 1000;
            List<(uint Start, uint Count)> pieces = [];
            for (uint at = 0; at < length;)
            {
                var count = (uint)random.Next(1, (int)Math.Min(300, length - at) + 1);
                pieces.Add((at, count));
                at += count;
            }

            (uint Start, uint Count)[] shuffled = [.. pieces];
            random.Shuffle(shuffled);
            NbdCoverage coverage = new(length);
            for (int i = 0; i < shuffled.Length; i++)
            {
                Assert.False(coverage.IsComplete, $"seed {TestSeed.Value}, round {round}");
                coverage.Add(shuffled[i].Start, shuffled[i].Count);
            }

            Assert.True(coverage.IsComplete, $"seed {TestSeed.Value}, round {round}");
        }
    }

    [Theory]
    [InlineData("0+1000 0+1")]
    [InlineData("0+500 499+1")]
    [InlineData("500+500 500+500")]
    [InlineData("500+100 0+501")]
    [InlineData("500+200 600+100 0+500")]
    [InlineData("0+1001")]
    [InlineData("1000+1")]
    [InlineData("1001+1")]
    [InlineData("0+0")]
    [InlineData("18446744073709551615+1")]
    public void WhatOverlapsOrLeavesTheRequestIsRefused(string pieces)
    {
        NbdCoverage coverage = new(1000);
        Assert.Throws<NbdConnectionException>(() =>
        {
            foreach (string[] piece in pieces.Split(' ').Select(static p => p.Split('+')))
            {
                coverage.Add(ulong.Parse(piece[0]), uint.Parse(piece[1]));
            }
        });
    }

    [Fact]
    public void PiecesOutOfOrderAreNotRememberedWithoutEnd()
    {
        NbdCoverage coverage = new(uint.MaxValue);
        Assert.Throws<NbdConnectionException>(() =>
        {
            for (uint i = 1; i < 5000; i++)
            {
                coverage.Add(i * 2, 1);
            }
        });
    }
}
