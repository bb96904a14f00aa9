using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Execution;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Cluster.Tests.RealWorkers;

[Collection(nameof(RealCluster))]
public sealed class CommitTests(RealCluster cluster)
{
    private const long Size = 1200L << 20;

    [SkippableTheory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    public async Task The_top_goes_into_the_base_below_it_and_is_emptied(string format)
    {
        RealCluster.Place place = cluster.NewPlace();
        MakeChain(place, format);
        JobDescription end = await place.SucceedAsync(new CommitSpec { Top = place.Name("top.qcow2") });
        Assert.True(end.Summary.BytesWritten > 0);
        // The base and the emptied top show what the top showed.
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", place["before.raw"], place["middle.img"]);
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", place["before.raw"], place["top.qcow2"]);
        Assert.DoesNotContain("\"depth\": 0", QemuTools.Img("map", "--output=json", place["top.qcow2"]), StringComparison.Ordinal);
        Check(place, "middle.img", "top.qcow2");
        await place.AssertQuietAsync("top.qcow2");
        await place.AssertQuietAsync("middle.img");
    }

    [SkippableTheory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    public async Task A_base_further_down_takes_all_above_it_and_the_top_stays(string format)
    {
        RealCluster.Place place = cluster.NewPlace();
        MakeChain(place, format);
        string before = Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(place["top.qcow2"])));
        await place.SucceedAsync(new CommitSpec { Top = place.Name("top.qcow2"), Base = place.Name("base.img") });
        QemuTools.Img("compare", "-f", "raw", "-F", format, place["before.raw"], place["base.img"]);
        Assert.Equal(before, Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(place["top.qcow2"]))));
        if (format != "raw")
        {
            Check(place, "base.img");
        }
    }

    [SkippableFact]
    public async Task A_base_that_another_overlay_stands_on_is_left_alone()
    {
        RealCluster.Place place = cluster.NewPlace();
        MakeChain(place, "raw");
        QemuTools.Img("create", "-f", "qcow2", "-b", "middle.img", "-F", "qcow2", place["other.qcow2"]);
        // The cluster hears of the other overlay by a job that reads it.
        await place.SucceedAsync(new CompareSpec { First = place.Name("other.qcow2"), Second = place.Name("middle.img"), SecondFormat = "qcow2" });
        Assert.Equal(["other.qcow2"], await place.DependentsAsync("middle.img"));
        Assert.Contains("other.qcow2 stands on it", await place.FailAsync(new CommitSpec { Top = place.Name("top.qcow2") }), StringComparison.Ordinal);
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", place["before.raw"], place["top.qcow2"]);
        // Deleted by hand: nothing hears of that but by an operator.
        File.Delete(place["other.qcow2"]);
        await place.ForgetAsync("middle.img", "other.qcow2");
        await place.SucceedAsync(new CommitSpec { Top = place.Name("top.qcow2") });
    }

    [SkippableFact]
    public async Task A_chain_that_a_machine_runs_on_is_not_committed()
    {
        RealCluster.Place place = cluster.NewPlace();
        MakeChain(place, "raw");
        using (QemuHolder.Io(place["top.qcow2"], "qcow2"))
        {
            Assert.Contains("lock", await place.FailAsync(new CommitSpec { Top = place.Name("top.qcow2") }), StringComparison.Ordinal);
        }

        await place.AssertQuietAsync("top.qcow2");
        await place.SucceedAsync(new CommitSpec { Top = place.Name("top.qcow2") });
    }

    // base.img (of the format) <- middle.img (qcow2) <- top.qcow2, and before.raw: what the top shows.
    private static void MakeChain(RealCluster.Place place, string format)
    {
        place.Raw("base.raw", Size, 1);
        QemuTools.Img("convert", "-f", "raw", "-O", format, place["base.raw"], place["base.img"]);
        QemuTools.Img("create", "-f", "qcow2", "-b", "base.img", "-F", format, place["middle.img"]);
        QemuTools.Io(place["middle.img"], "qcow2", "write -P 3 10M 1M", "write -P 4 550M 128k");
        QemuTools.Img("create", "-f", "qcow2", "-b", "middle.img", "-F", "qcow2", place["top.qcow2"]);
        QemuTools.Io(place["top.qcow2"], "qcow2", "write -P 5 10M 64k", "write -z 550M 64k", "write -P 6 1100M 512");
        QemuTools.Img("convert", "-O", "raw", place["top.qcow2"], place["before.raw"]);
    }

    private static void Check(RealCluster.Place place, params string[] images)
    {
        foreach (string image in images)
        {
            QemuTools.Img("check", "-f", "qcow2", place[image]);
        }
    }
}
