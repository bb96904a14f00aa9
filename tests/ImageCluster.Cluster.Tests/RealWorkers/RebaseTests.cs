using ImageCluster.Jobs.Execution;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Cluster.Tests.RealWorkers;

[Collection(nameof(RealCluster))]
public sealed class RebaseTests(RealCluster cluster)
{
    private const long Size = 1200L << 20;

    [SkippableFact]
    public async Task What_differs_is_merged_before_the_backing_file_changes()
    {
        RealCluster.Place place = cluster.NewPlace();
        Make(place);
        await place.SucceedAsync(new RebaseSpec { Image = place.Name("top.qcow2"), Backing = place.Name("new.raw"), BackingFormat = "raw" });
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", place["before.raw"], place["top.qcow2"]);
        Assert.Equal("new.raw", Backing(place));
        QemuTools.Img("check", "-f", "qcow2", place["top.qcow2"]);
        Assert.Empty(await place.DependentsAsync("old.raw"));
        Assert.Equal(["top.qcow2"], await place.DependentsAsync("new.raw"));
        await place.AssertQuietAsync("top.qcow2");
    }

    [SkippableFact]
    public async Task On_nothing_it_holds_all_that_it_showed()
    {
        RealCluster.Place place = cluster.NewPlace();
        Make(place);
        await place.SucceedAsync(new RebaseSpec { Image = place.Name("top.qcow2") });
        Assert.Equal("", Backing(place));
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", place["before.raw"], place["top.qcow2"]);
        QemuTools.Img("check", "-f", "qcow2", place["top.qcow2"]);
        Assert.Empty(await place.DependentsAsync("old.raw"));
    }

    [SkippableFact]
    public async Task Unsafe_only_the_name_changes_also_where_neither_file_is_there()
    {
        RealCluster.Place place = cluster.NewPlace();
        Make(place);
        string mapped = QemuTools.Img("map", "--output=json", place["top.qcow2"]);
        File.Move(place["old.raw"], place["moved.raw"]);
        await place.SucceedAsync(new RebaseSpec { Image = place.Name("top.qcow2"), Backing = place.Name("later.raw"), BackingFormat = "raw", Unsafe = true });
        Assert.Equal("later.raw", Backing(place));
        File.Move(place["moved.raw"], place["later.raw"]);
        Assert.Equal(mapped, QemuTools.Img("map", "--output=json", place["top.qcow2"]));
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", place["before.raw"], place["top.qcow2"]);
        Assert.Equal(["top.qcow2"], await place.DependentsAsync("later.raw"));
    }

    private static void Make(RealCluster.Place place)
    {
        place.Raw("old.raw", Size, 1);
        place.Raw("new.raw", Size - (50 << 20), 2);
        QemuTools.Img("create", "-f", "qcow2", "-b", "old.raw", "-F", "raw", place["top.qcow2"]);
        QemuTools.Io(place["top.qcow2"], "qcow2", "write -P 5 1M 64k", "write -z 600M 64k", "write -P 6 700M 512");
        QemuTools.Img("convert", "-O", "raw", place["top.qcow2"], place["before.raw"]);
    }

    private static string Backing(RealCluster.Place place) => QemuTools.Img("info", "-U", "--output=json", place["top.qcow2"]).Split('\n')
        .FirstOrDefault(line => line.Contains("\"backing-filename\":", StringComparison.Ordinal), "").Split('"') is [_, _, _, string name, ..] ? name : "";
}
