using ImageCluster.Cluster.Messages;
using ImageCluster.Imaging.Operations.Comparing;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Cluster.Tests.RealWorkers;

[Collection(nameof(RealCluster))]
public sealed class CompareTests(RealCluster cluster)
{
    private const long Size = 2100L << 20;

    [SkippableFact]
    public async Task Equal_disks_of_two_formats_are_found_equal()
    {
        RealCluster.Place place = cluster.NewPlace();
        Make(place);
        JobDescription end = await place.SucceedAsync(Compare(place, "a.raw", "b.qcow2"));
        Assert.Null(end.Summary.FirstDifference);
        Assert.True(end.Summary.BytesRead > 0);
        await place.AssertQuietAsync("b.qcow2");
    }

    [SkippableTheory]
    [InlineData("write -P 77 700M 64k", "write -P 78 1700M 64k", 700L << 20)]
    [InlineData("write -P 77 2000M 512", "write -P 77 1536M 512", 1536L << 20)]
    [InlineData("write -P 77 1100M 4k", "discard 2000M 64k", 1100L << 20)]
    public async Task The_first_difference_is_the_one_that_one_machine_finds(string one, string other, long offset)
    {
        RealCluster.Place place = cluster.NewPlace();
        Make(place);
        QemuTools.Io(place["b.qcow2"], "qcow2", one, other);
        JobDescription end = await place.SucceedAsync(Compare(place, "a.raw", "b.qcow2"));
        Assert.Equal(offset, end.Summary.FirstDifference);
        Assert.Contains($"Content mismatch at offset {offset}!", QemuTools.TryImg("compare", place["a.raw"], place["b.qcow2"]).Output, StringComparison.Ordinal);
        Assert.Equal(CompareVerdict.ContentDiffers, FindingsCodec.DecodeCompare(end.Finding).Verdict);
    }

    [SkippableFact]
    public async Task Two_sizes_are_equal_where_the_rest_is_zero_and_differ_strictly()
    {
        RealCluster.Place place = cluster.NewPlace();
        Make(place);
        QemuTools.Img("resize", "-f", "qcow2", place["b.qcow2"], $"{Size + (100 << 20)}");
        Assert.Null((await place.SucceedAsync(Compare(place, "a.raw", "b.qcow2"))).Summary.FirstDifference);
        JobDescription strict = await place.SucceedAsync(Compare(place, "a.raw", "b.qcow2") with { Strict = true });
        Assert.NotNull(strict.Summary.FirstDifference);
        CompareFindings found = FindingsCodec.DecodeCompare(strict.Finding);
        Assert.Equal(CompareVerdict.SizeDiffers, found.Verdict);
        Assert.True(found.SizesDiffer);
    }

    [SkippableFact]
    public async Task Strictly_zeros_are_not_the_same_as_nothing()
    {
        RealCluster.Place place = cluster.NewPlace();
        QemuTools.Img("create", "-f", "qcow2", place["a.qcow2"], $"{Size}");
        QemuTools.Img("create", "-f", "qcow2", place["b.qcow2"], $"{Size}");
        QemuTools.Io(place["b.qcow2"], "qcow2", "write -P 0 1200M 64k");
        Assert.Null((await place.SucceedAsync(Compare(place, "a.qcow2", "b.qcow2"))).Summary.FirstDifference);
        JobDescription strict = await place.SucceedAsync(Compare(place, "a.qcow2", "b.qcow2") with { Strict = true });
        ToolResult theirs = QemuTools.TryImg("compare", "-s", place["a.qcow2"], place["b.qcow2"]);
        Assert.Equal(1, theirs.ExitCode);
        Assert.Contains($"Offset {strict.Summary.FirstDifference}", theirs.Output, StringComparison.Ordinal);
        Assert.NotEqual(CompareVerdict.ContentDiffers, FindingsCodec.DecodeCompare(strict.Finding).Verdict);
    }

    [SkippableFact]
    public async Task An_image_that_is_not_there_is_said()
    {
        RealCluster.Place place = cluster.NewPlace();
        place.Raw("a.raw", 1 << 20, 1);
        Assert.Contains("gone.qcow2", await place.FailAsync(Compare(place, "a.raw", "gone.qcow2")), StringComparison.Ordinal);
    }

    private static CompareSpec Compare(RealCluster.Place place, string first, string second) => new()
    {
        First = place.Name(first),
        FirstFormat = first.EndsWith(".raw", StringComparison.Ordinal) ? "raw" : "qcow2",
        Second = place.Name(second),
    };

    private static void Make(RealCluster.Place place)
    {
        place.Raw("a.raw", Size, 3);
        QemuTools.Img("convert", "-f", "raw", "-O", "qcow2", place["a.raw"], place["b.qcow2"]);
    }
}
