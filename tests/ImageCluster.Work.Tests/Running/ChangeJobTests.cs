using System.Collections.Immutable;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Testing.Qemu;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Tests.Support;

namespace ImageCluster.Work.Tests.Running;

/// <summary>Changes of whole images, looked at with qemu-img.</summary>
public sealed class ChangeJobTests : IDisposable
{
    private readonly WorkLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableFact]
    public void AnImageIsCreatedWholeOrNotAtAll()
    {
        QemuTools.Require();
        ChangeSpec create = new()
        {
            Image = WorkLab.Out("a/new.qcow2"),
            Change = UsePurpose.Create,
            Format = "qcow2",
            Size = 10 << 20,
            Options = ImmutableSortedDictionary<string, string>.Empty.Add("cluster_size", "4096"),
        };
        Done(create);
        string info = QemuTools.Img("info", "--output=json", _lab["out/a/new.qcow2"]);
        Assert.Contains("\"cluster-size\": 4096", info, StringComparison.Ordinal);
        Assert.Contains("\"virtual-size\": 10485760", info, StringComparison.Ordinal);
        Assert.Contains("is there", Failure(create), StringComparison.Ordinal);
        Done(create with { Force = true, Size = 20 << 20 });
        Assert.Contains("20971520", QemuTools.Img("info", "--output=json", _lab["out/a/new.qcow2"]), StringComparison.Ordinal);
        Assert.Contains("size parameter", Failure(create with { Image = WorkLab.Out("b.qcow2"), Size = null }), StringComparison.Ordinal);
        Assert.Contains("Unknown file format", Failure(create with { Image = WorkLab.Out("b.qcow2"), Format = "nonsense" }), StringComparison.Ordinal);
        Assert.False(File.Exists(_lab["out/b.qcow2"]));
        _lab.AssertClean();
    }

    [SkippableFact]
    public void AnOverlayHasTheSizeOfItsBase()
    {
        QemuTools.Require();
        _lab.AddRaw("in/base.raw", 3 << 20);
        Done(new ChangeSpec { Image = WorkLab.In("over.qcow2"), Change = UsePurpose.Create, Format = "qcow2", Backing = WorkLab.In("base.raw"), BackingFormat = "raw" });
        QemuTools.Img("compare", "-F", "raw", _lab["in/over.qcow2"], _lab["in/base.raw"]);
        Assert.Contains("backing file: base.raw", QemuTools.Img("info", _lab["in/over.qcow2"]), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void ADiskGrowsAndShrinksOnlyWhereThatIsMeant()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-f", "qcow2", _lab["in/a.qcow2"], "10M");
        ChangeSpec resize = new() { Image = WorkLab.In("a.qcow2"), Change = UsePurpose.Resize, Size = 20 << 20 };
        Done(resize);
        Assert.Contains("20971520", QemuTools.Img("info", "--output=json", _lab["in/a.qcow2"]), StringComparison.Ordinal);
        Assert.Contains("would become smaller", Failure(resize with { Size = 5 << 20 }), StringComparison.Ordinal);
        Done(resize with { Size = 5 << 20, Force = true });
        Assert.Contains("5242880", QemuTools.Img("info", "--output=json", _lab["in/a.qcow2"]), StringComparison.Ordinal);
        Assert.Contains("must be positive", Failure(resize with { Size = 0 }), StringComparison.Ordinal);
        QemuTools.Img("check", _lab["in/a.qcow2"]);
    }

    [SkippableFact]
    public void OptionsAreAmended()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-f", "qcow2", "-o", "compat=0.10", _lab["in/a.qcow2"], "10M");
        Done(new ChangeSpec
        {
            Image = WorkLab.In("a.qcow2"),
            Change = UsePurpose.Amend,
            Options = ImmutableSortedDictionary<string, string>.Empty.Add("compat", "1.1").Add("lazy_refcounts", "on"),
        });
        Assert.Contains("lazy refcounts: true", QemuTools.Img("info", _lab["in/a.qcow2"]), StringComparison.Ordinal);
        _lab.AddRaw("in/a.raw", 512);
        Assert.Contains("does not support option amendment", Failure(new ChangeSpec { Image = WorkLab.In("a.raw"), Format = "raw", Change = UsePurpose.Amend }), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void SnapshotsAreTakenAppliedAndRemoved()
    {
        QemuTools.Require();
        string image = _lab["in/a.qcow2"];
        QemuTools.Img("create", "-f", "qcow2", image, "10M");
        QemuTools.Io(image, "qcow2", "write -P 1 0 1M");
        ChangeSpec snapshot = new() { Image = WorkLab.In("a.qcow2"), Change = UsePurpose.SnapshotCreate, Snapshot = "one" };
        Done(snapshot);
        Assert.Contains("is there already", Failure(snapshot), StringComparison.Ordinal);
        Assert.Contains("needs a name", Failure(snapshot with { Snapshot = "" }), StringComparison.Ordinal);
        QemuTools.Io(image, "qcow2", "write -P 2 0 1M");
        Assert.Contains("There is no snapshot 'two'", Failure(snapshot with { Change = UsePurpose.SnapshotApply, Snapshot = "two" }), StringComparison.Ordinal);
        Done(snapshot with { Change = UsePurpose.SnapshotApply });
        QemuTools.Io(image, "qcow2", "read -P 1 0 1M");
        Done(snapshot with { Change = UsePurpose.SnapshotDelete });
        Assert.DoesNotContain("one", QemuTools.Img("snapshot", "-l", image), StringComparison.Ordinal);
        QemuTools.Img("check", image);
    }

    [SkippableFact]
    public void ADamagedImageIsRepaired()
    {
        QemuTools.Require();
        string image = _lab["in/a.qcow2"];
        QemuTools.Img("create", "-f", "qcow2", image, "10M");
        QemuTools.Io(image, "qcow2", "write -P 1 0 1M");
        // A cluster that nothing refers to; then one in use that counts as free, which is no leak.
        Refcount(image, 25, 1);
        ChangeSpec repair = new() { Image = WorkLab.In("a.qcow2"), Change = UsePurpose.Repair };
        Assert.Equal("1 leaked clusters and 0 errors repaired, 0 and 0 left", Repaired(repair));
        Refcount(image, 8, 0);
        Assert.Contains("Check failed", Failure(repair), StringComparison.Ordinal);
        Assert.EndsWith("0 and 0 left", Repaired(repair with { Force = true }), StringComparison.Ordinal);
        QemuTools.Img("check", image);
        QemuTools.Io(image, "qcow2", "read -P 1 0 1M");
    }

    [SkippableFact]
    public void AnImageOfARunningMachineIsNotChanged()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-f", "qcow2", _lab["in/a.qcow2"], "10M");
        using QemuHolder machine = QemuHolder.Io(_lab["in/a.qcow2"], "qcow2");
        Assert.Contains("lock", Failure(new ChangeSpec { Image = WorkLab.In("a.qcow2"), Change = UsePurpose.Resize, Size = 20 << 20 }), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(UsePurpose.Create, StageKind.Create)]
    [InlineData(UsePurpose.Create, StageKind.Install)]
    [InlineData(UsePurpose.Resize, StageKind.Change)]
    [InlineData(UsePurpose.Amend, StageKind.Change)]
    [InlineData(UsePurpose.SnapshotCreate, StageKind.Change)]
    [InlineData(UsePurpose.SnapshotApply, StageKind.Change)]
    [InlineData(UsePurpose.SnapshotDelete, StageKind.Change)]
    [InlineData(UsePurpose.Repair, StageKind.Change)]
    public void AChangeOfWhichNobodyHeardIsDoneAgainWithoutHarm(UsePurpose change, StageKind stage)
    {
        QemuTools.Require();
        string image = _lab["in/a.qcow2"];
        if (change != UsePurpose.Create)
        {
            QemuTools.Img("create", "-f", "qcow2", "-o", change == UsePurpose.Amend ? "compat=0.10" : "compat=1.1", image, "10M");
            QemuTools.Io(image, "qcow2", "write -P 1 0 1M");
            // Two of one name: only the first is meant.
            QemuTools.Img("snapshot", "-c", "there", image);
            QemuTools.Img("snapshot", "-c", "there", image);
            QemuTools.Io(image, "qcow2", "write -P 2 0 1M");
        }

        bool isNew = change is UsePurpose.SnapshotCreate;
        int times = 0;
        JobDriver driver = new(
            new ChangeSpec
            {
                Image = WorkLab.In("a.qcow2"),
                Format = "qcow2",
                Change = change,
                Size = 20 << 20,
                Snapshot = isNew ? "new" : "there",
                Options = change == UsePurpose.Amend ? ImmutableSortedDictionary<string, string>.Empty.Add("compat", "1.1") : ImmutableSortedDictionary<string, string>.Empty,
            },
            _lab.Roots)
        {
            Workers = 1,
            Around = (runner, task, shard, scope) =>
            {
                ShardResult result = runner.Run(task, shard, scope);
                return task.Stage == stage && ++times == 1 ? throw new LeaseLostException() : result;
            },
        };
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Equal(2, times);
        string info = QemuTools.Img("info", "--output=json", image);
        Assert.Contains($"\"virtual-size\": {(change is UsePurpose.Create or UsePurpose.Resize ? 20 : 10) << 20}", info, StringComparison.Ordinal);
        Assert.Contains("\"compat\": \"1.1\"", info, StringComparison.Ordinal);
        string[] snapshots = QemuTools.Img("snapshot", "-l", image).Split('\n');
        Assert.Equal(isNew ? 1 : 0, snapshots.Count(line => line.Contains(" new ", StringComparison.Ordinal)));
        Assert.Equal(change switch { UsePurpose.Create => 0, UsePurpose.SnapshotDelete => 1, _ => 2 }, snapshots.Count(line => line.Contains(" there ", StringComparison.Ordinal)));
        QemuTools.Io(image, "qcow2", $"read -P {change switch { UsePurpose.Create => 0, UsePurpose.SnapshotApply => 1, _ => 2 }} 0 1M");
        QemuTools.Img("check", image);
        _lab.AssertClean("in");
    }

    [SkippableFact]
    public void ADiskThatGrewAndWasLeftSoHidesWhatItsBackingFileHasThere()
    {
        QemuTools.Require();
        WorkLab.Write(_lab["in/base.raw"], 20 << 20, [(15 << 20, GuestContent.Make(1 << 20, 5))]);
        QemuTools.Img("create", "-f", "qcow2", "-b", "base.raw", "-F", "raw", _lab["in/a.qcow2"], "10M");
        int times = 0;
        JobDriver driver = new(new ChangeSpec { Image = WorkLab.In("a.qcow2"), Format = "qcow2", Change = UsePurpose.Resize, Size = 20 << 20 }, _lab.Roots)
        {
            Around = (runner, task, shard, scope) =>
            {
                if (task.Stage != StageKind.Change || ++times > 1)
                {
                    return runner.Run(task, shard, scope);
                }

                // Killed between the two halves.
                using LayeredDisk disk = new ChainOpener(new LocalFileLocator()).Open(_lab["in/a.qcow2"], new ChainOptions { Mode = OpenMode.ReadWrite, FollowBacking = false });
                ((IResizable)disk.Top).Resize(20 << 20, "off");
                disk.Flush();
                throw new LeaseLostException();
            },
        };
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        QemuTools.Io(_lab["in/a.qcow2"], "qcow2", "read -P 0 10M 10M");
        QemuTools.Img("check", _lab["in/a.qcow2"]);
    }

    private static void Refcount(string image, int cluster, byte count)
    {
        using IBlockFile file = new LocalFileLocator().Open(image, OpenMode.ReadWrite);
        file.SetLength(Math.Max(file.Length, 30 << 16));
        file.Write(0x20000 + 2 * cluster, [0, count]);
    }

    private string Repaired(ChangeSpec spec)
    {
        JobDriver driver = _lab.Driver(spec);
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        return driver.Results[^1].Result.Detail;
    }

    private void Done(ChangeSpec spec)
    {
        JobEnd end = _lab.Driver(spec).Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
    }

    private string Failure(ChangeSpec spec)
    {
        JobEnd end = new JobDriver(spec, _lab.Roots) { JobId = "another" }.Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        return end.Reason;
    }
}
