using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Imaging.Extents;

namespace ImageCluster.Imaging.Tests.Extents;

/// <summary>Each operation against a model that knows, byte by byte, what is there.</summary>
public sealed class ExtentAlgebraTests
{
    private const int Size = 64;

    // Ordered extents with gaps; host offsets that continue by chance, so that some neighbours join.
    private static readonly Gen<List<Extent>> Lists =
        Gen.Select(Gen.Int[0, 3], Gen.Int[1, 9], Gen.Enum<ExtentKind>(), Gen.Int[0, 2]).List[0, 12].Select(parts =>
        {
            List<Extent> list = [];
            long at = 0;
            foreach ((int gap, int length, ExtentKind kind, int host) in parts)
            {
                at += gap;
                if (at + length > Size)
                {
                    break;
                }

                long offset = kind switch { ExtentKind.Absent => -1, ExtentKind.Zero => host == 0 ? -1 : at, _ => 1000 + at + (host == 2 ? 7 : 0) };
                list.Add(new Extent(at, length, kind, null, offset));
                at += length;
            }

            return list;
        });

    private static (ExtentKind Kind, long Host)?[] Model(IEnumerable<Extent> extents)
    {
        var model = new (ExtentKind, long)?[Size];
        long last = 0;
        foreach (Extent extent in extents)
        {
            Assert.True(extent.Start >= last && extent.Length > 0, "out of order, overlapping or empty");
            last = extent.End;
            for (long i = extent.Start; i < extent.End; i++)
            {
                bool moves = extent.HostOffset >= 0 && extent.Kind != ExtentKind.Compressed;
                model[i] = (extent.Kind, moves ? extent.HostOffset + i - extent.Start : extent.HostOffset);
            }
        }

        return model;
    }

    [Fact]
    public void CoalescingChangesNothingButTheNumber() => Lists.Holds(list =>
    {
        List<Extent> joined = [.. list.Coalesce()];
        Assert.Equal(Model(list), Model(joined));
        for (int i = 1; i < joined.Count; i++)
        {
            Assert.False(joined[i - 1].Joins(joined[i]), "neighbours were left apart");
        }
    });

    [Fact]
    public void ClippingKeepsWhatIsInside() => Gen.Select(Lists, Gen.Int[0, Size], Gen.Int[0, Size]).Holds((list, a, b) =>
    {
        (int start, int end) = (Math.Min(a, b), Math.Max(a, b));
        var expected = Model(list);
        for (int i = 0; i < Size; i++)
        {
            expected[i] = i >= start && i < end ? expected[i] : null;
        }

        Assert.Equal(expected, Model(list.Clip(start, end)));
    });

    [Fact]
    public void OverShowsTheLowerOnlyWhereTheUpperIsSilent() => Gen.Select(Lists, Lists).Holds((upper, lower) =>
    {
        var top = Model(upper);
        var bottom = Model(lower);
        var expected = top.Zip(bottom, (t, b) => t is { Kind: not ExtentKind.Absent } ? t : b).ToArray();
        Assert.Equal(expected, Model(upper.Over(lower)));
    });

    [Fact]
    public void TotalsCountBytes() => Lists.Holds(list =>
        Assert.Equal(Model(list).Count(m => m is { Kind: ExtentKind.Data or ExtentKind.Compressed }), list.TotalLength(ExtentKind.Data, ExtentKind.Compressed)));
}
