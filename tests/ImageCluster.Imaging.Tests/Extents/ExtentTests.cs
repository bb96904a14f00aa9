using CsCheck;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Extents;

/// <summary>Which extents join, against a model that knows, byte by byte, what is there.</summary>
public sealed class ExtentTests
{
    private static readonly MemoryFile[] Files = [new("a"), new("b")];

    // Pieces that lie one behind the other or not, in the guest and in their file.
    private static readonly Gen<Extent> Pieces = Gen
        .Select(Gen.Int[0, 6], Gen.Int[1, 4], Gen.Enum<ExtentKind>(), Gen.Int[-1, 6], Gen.Int[0, 1], Gen.Bool)
        .Select(static (start, length, kind, host, file, hole) =>
            new Extent(start, length, kind, Files[file], kind == ExtentKind.Absent ? -1 : host, hole && kind == ExtentKind.Zero));

    private static (long At, ExtentKind Kind, IBlockFile? File, long Host, bool Hole)[] Bytes(Extent extent) =>
        [.. Enumerable.Range(0, (int)extent.Length).Select(i => (extent.Start + i, extent.Kind, extent.File, extent.HostOffset < 0 ? -1 : extent.HostOffset + i, extent.IsHole))];

    [Fact]
    public void ExtentsJoinWhereOneSaysOfEachByteWhatTheTwoSay() => Gen.Select(Pieces, Pieces).Holds(static (first, second) =>
    {
        Extent one = first with { Length = first.Length + second.Length };
        bool same = Bytes(one).SequenceEqual([.. Bytes(first), .. Bytes(second)]);

        // What is compressed has no place for each byte.
        Assert.Equal(same && first.Kind != ExtentKind.Compressed, first.Joins(second));
    });

    [Fact]
    public void ExtentsThatContinueEachOtherJoin()
    {
        Extent first = new(100, 10, ExtentKind.Data, Files[0], 1000);
        Assert.True(first.Joins(new Extent(110, 5, ExtentKind.Data, Files[0], 1010)));
        Assert.True(new Extent(0, 4, ExtentKind.Zero).Joins(new Extent(4, 4, ExtentKind.Zero)));
        Assert.False(first.Joins(new Extent(110, 5, ExtentKind.Data, Files[0], 1011)));
        Assert.False(first.Joins(new Extent(111, 5, ExtentKind.Data, Files[0], 1010)));
    }
}
