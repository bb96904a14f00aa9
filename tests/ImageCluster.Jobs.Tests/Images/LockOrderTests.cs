using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Jobs.Tests.Images;

public class LockOrderTests
{
    [Fact]
    public void Bases_come_first_and_each_image_once()
    {
        ImageName[] chain = [Name("top"), Name("middle"), Name("base")];
        ImageName[] sister = [Name("another"), Name("base")];
        Assert.Equal(["base", "target", "another", "middle", "top"],
            LockOrder.Of(chain, sister, (ImageName[])[Name("target")]).Select(image => image.Path));
    }

    /// <summary>Any forest of images; two jobs that use any of them take what they share in one order.</summary>
    [Fact]
    public void Two_jobs_agree_on_the_order() =>
        Gen.Select(Gen.Int[0, 1000].Array[12], Gen.Int[0, 11].Array[1, 4], Gen.Int[0, 11].Array[1, 4]).Holds((parents, first, second) =>
        {
            // Image i stands on an image of a lower number, or on nothing.
            IReadOnlyList<ImageName> Chain(int image)
            {
                int parent = parents[image] % (image + 1) - 1;
                return [Name($"{(image * 7) % 12}"), .. parent < 0 ? [] : Chain(parent)];
            }

            IReadOnlyList<ImageName> a = LockOrder.Of(first.Select(Chain));
            IReadOnlyList<ImageName> b = LockOrder.Of(second.Select(Chain));
            Assert.Equal(a.Intersect(b), b.Intersect(a));
            Assert.Equal(a.Count, a.Distinct().Count());
            foreach (IReadOnlyList<ImageName> chain in first.Select(Chain))
            {
                Assert.Equal(chain.Reverse(), a.Where(chain.Contains));
            }
        });

    private static ImageName Name(string path) => new("vm", path);
}
