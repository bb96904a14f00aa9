using System.Collections.Immutable;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Testing.Qemu;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Cluster.Tests.RealWorkers;

[Collection(nameof(RealCluster))]
public sealed class ChangeTests(RealCluster cluster)
{
    [SkippableFact]
    public async Task An_overlay_is_created_grows_and_is_amended()
    {
        RealCluster.Place place = cluster.NewPlace();
        place.Raw("base.raw", 10 << 20, 1);
        await place.SucceedAsync(new ChangeSpec
        {
            Image = place.Name("over.qcow2"),
            Change = UsePurpose.Create,
            Format = "qcow2",
            Backing = place.Name("base.raw"),
            BackingFormat = "raw",
            Options = ImmutableSortedDictionary<string, string>.Empty.Add("compat", "0.10"),
        });
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", place["base.raw"], place["over.qcow2"]);
        Assert.Equal(["over.qcow2"], await place.DependentsAsync("base.raw"));
        await place.SucceedAsync(Change(place, UsePurpose.Resize) with { Size = 20 << 20 });
        QemuTools.Io(place["over.qcow2"], "qcow2", "read -P 0 10M 10M");
        await place.SucceedAsync(Change(place, UsePurpose.Amend) with { Options = ImmutableSortedDictionary<string, string>.Empty.Add("compat", "1.1") });
        Assert.Contains("compat: 1.1", QemuTools.Img("info", place["over.qcow2"]), StringComparison.Ordinal);
        Assert.Contains("virtual size: 20 MiB", QemuTools.Img("info", place["over.qcow2"]), StringComparison.Ordinal);
        QemuTools.Img("check", "-f", "qcow2", place["over.qcow2"]);
        await place.AssertQuietAsync("over.qcow2");
    }

    [SkippableFact]
    public async Task What_an_overlay_stands_on_is_not_resized()
    {
        RealCluster.Place place = cluster.NewPlace();
        QemuTools.Img("create", "-f", "qcow2", place["over.qcow2"], "10M");
        await place.SucceedAsync(new ChangeSpec
        {
            Image = place.Name("top.qcow2"),
            Change = UsePurpose.Create,
            Format = "qcow2",
            Backing = place.Name("over.qcow2"),
            BackingFormat = "qcow2",
        });
        Assert.Contains("top.qcow2 stands on it", await place.FailAsync(Change(place, UsePurpose.Resize) with { Size = 20 << 20 }), StringComparison.Ordinal);
        // What shows through stays the same: that may be.
        await place.SucceedAsync(Change(place, UsePurpose.SnapshotCreate) with { Snapshot = "s" });
    }

    [SkippableFact]
    public async Task Snapshots_are_taken_applied_and_removed()
    {
        RealCluster.Place place = cluster.NewPlace();
        QemuTools.Img("create", "-f", "qcow2", place["over.qcow2"], "10M");
        QemuTools.Io(place["over.qcow2"], "qcow2", "write -P 1 0 1M");
        ChangeSpec snapshot = Change(place, UsePurpose.SnapshotCreate) with { Snapshot = "one" };
        await place.SucceedAsync(snapshot);
        Assert.Contains("is there already", await place.FailAsync(snapshot), StringComparison.Ordinal);
        QemuTools.Io(place["over.qcow2"], "qcow2", "write -P 2 0 1M");
        await place.SucceedAsync(snapshot with { Change = UsePurpose.SnapshotApply });
        QemuTools.Io(place["over.qcow2"], "qcow2", "read -P 1 0 1M");
        await place.SucceedAsync(snapshot with { Change = UsePurpose.SnapshotDelete });
        Assert.DoesNotContain("one", QemuTools.Img("snapshot", "-l", place["over.qcow2"]), StringComparison.Ordinal);
        QemuTools.Img("check", "-f", "qcow2", place["over.qcow2"]);
    }

    [SkippableFact]
    public async Task A_leak_is_repaired()
    {
        RealCluster.Place place = cluster.NewPlace();
        QemuTools.Img("create", "-f", "qcow2", place["over.qcow2"], "10M");
        QemuTools.Io(place["over.qcow2"], "qcow2", "write -P 1 0 1M");
        using (SafeFileHandle file = File.OpenHandle(place["over.qcow2"], FileMode.Open, FileAccess.Write))
        {
            // The count of a cluster that nothing refers to.
            RandomAccess.SetLength(file, 30 << 16);
            RandomAccess.Write(file, [0, 1], 0x20000 + 2 * 25);
        }

        Assert.Equal(3, QemuTools.TryImg("check", "-f", "qcow2", place["over.qcow2"]).ExitCode);
        await place.SucceedAsync(Change(place, UsePurpose.Repair));
        QemuTools.Img("check", "-f", "qcow2", place["over.qcow2"]);
        QemuTools.Io(place["over.qcow2"], "qcow2", "read -P 1 0 1M");
    }

    [SkippableFact]
    public async Task Of_two_changes_at_once_the_second_waits()
    {
        RealCluster.Place place = cluster.NewPlace();
        QemuTools.Img("create", "-f", "qcow2", place["over.qcow2"], "10M");
        JobDescription[] ends = await Task.WhenAll(Enumerable.Range(1, 4).Select(i =>
            place.RunAsync(Change(place, UsePurpose.SnapshotCreate) with { Snapshot = $"s{i}" })));
        Assert.All(ends, end => Assert.Equal(("succeeded", ""), (end.Summary.State, end.Summary.Reason)));
        string list = QemuTools.Img("snapshot", "-l", place["over.qcow2"]);
        Assert.All(Enumerable.Range(1, 4), i => Assert.Contains($"s{i} ", list, StringComparison.Ordinal));
        QemuTools.Img("check", "-f", "qcow2", place["over.qcow2"]);
    }

    private static ChangeSpec Change(RealCluster.Place place, UsePurpose change) => new() { Image = place.Name("over.qcow2"), Format = "qcow2", Change = change };
}
