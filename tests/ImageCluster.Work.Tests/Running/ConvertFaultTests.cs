using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Running;
using ImageCluster.Work.Targets;
using ImageCluster.Work.Tests.Support;

namespace ImageCluster.Work.Tests.Running;

/// <summary>What can go wrong around a convert: the image is whole in the end, or the job has failed for a stated reason and left nothing behind.</summary>
public sealed class ConvertFaultTests : IDisposable
{
    private const long Size = (2L << 29) + (70 << 20) + 512;

    private readonly WorkLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Theory]
    [InlineData(StageKind.Copy)]
    [InlineData(StageKind.Verify)]
    [InlineData(StageKind.Install)]
    public void A_source_that_changes_fails_the_job_and_nothing_is_left(StageKind stage)
    {
        string source = _lab.AddRaw("in/a.raw", Size);
        int copies = 0;
        JobDriver driver = new(Spec("qcow2") with { Verify = VerifyMode.Compare }, _lab.Roots)
        {
            Around = (runner, task, shard, scope) =>
            {
                if (task.Stage == stage && Interlocked.Increment(ref copies) == (stage == StageKind.Install ? 1 : 2))
                {
                    using IBlockFile file = new LocalFileLocator().Open(source, OpenMode.ReadWrite with { Lock = ImageLock.None });
                    file.Write(Size - 1000, [1, 2, 3]);
                    file.Flush();
                }

                return runner.Run(task, shard, scope);
            },
        };
        JobEnd end = driver.Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        Assert.Contains("a.raw changed while it was read", end.Reason, StringComparison.Ordinal);
        AssertNothing();
    }

    [SkippableFact]
    public void A_source_that_a_running_machine_writes_to_is_not_read()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-f", "qcow2", _lab["in/a.qcow2"], "10M");
        using QemuHolder machine = QemuHolder.Io(_lab["in/a.qcow2"], "qcow2");
        JobEnd end = new JobDriver(Spec("qcow2") with { Source = WorkLab.In("a.qcow2"), SourceFormat = "qcow2" }, _lab.Roots).Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        Assert.Contains("Failed to get shared \"write\" lock", end.Reason, StringComparison.Ordinal);
        AssertNothing();
    }

    [SkippableFact]
    public void While_a_shard_is_read_no_machine_can_write_to_the_source()
    {
        QemuTools.Require();
        _lab.AddRaw("in/a.raw", Size);
        bool refused = false;
        JobDriver driver = new(Spec("raw"), _lab.Roots)
        {
            Workers = 1,
            Around = (runner, task, shard, scope) => runner.Run(task, shard, task.Stage != StageKind.Copy ? scope : scope with
            {
                Throttle = _ => refused |= QemuTools.TryIo(_lab["in/a.raw"], "raw", "write 0 512").Error.Contains("lock", StringComparison.Ordinal),
            }),
        };
        _lab.AssertDone(driver, "raw");
        Assert.True(refused);
    }

    [SkippableTheory]
    [InlineData("qcow2")]
    [InlineData("raw")]
    public void A_full_disk_fails_the_job_for_that_reason(string format)
    {
        string source = _lab.AddRaw("in/a.raw", 64 << 20);
        using (IBlockFile file = new LocalFileLocator().Open(source, OpenMode.ReadWrite))
        {
            file.Write(0, GuestContent.Make(24 << 20, 5));
        }

        string small = _lab["small"];
        using SmallDisk disk = SmallDisk.Mount(small, 8);
        JobDriver driver = new(Spec(format), new Dictionary<string, string> { ["in"] = _lab["in"], ["out"] = small });
        JobEnd end = driver.Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        Assert.Contains("No space left on device", end.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain(Directory.EnumerateFiles(small, "*", SearchOption.AllDirectories), file => file.EndsWith("b.img", StringComparison.Ordinal));
    }

    [SkippableFact]
    public void What_leads_out_of_the_roots_is_refused()
    {
        QemuTools.Require();
        File.WriteAllBytes(_lab["secret"], new byte[4096]);
        File.CreateSymbolicLink(_lab["in/link.raw"], _lab["secret"]);
        QemuTools.Img("create", "-f", "qcow2", "-b", _lab["secret"], "-F", "raw", _lab["in/over.qcow2"]);
        Directory.CreateDirectory(_lab["elsewhere"]);
        Directory.CreateSymbolicLink(_lab["out/away"], _lab["elsewhere"]);
        _lab.AddRaw("in/a.raw", 1 << 20);
        foreach (ConvertSpec spec in new[]
        {
            Spec("raw") with { Source = WorkLab.In("link.raw") },
            Spec("raw") with { Source = WorkLab.In("over.qcow2"), SourceFormat = "qcow2" },
            Spec("raw") with { Target = WorkLab.Out("away/b.img") },
        })
        {
            JobEnd end = new JobDriver(spec, _lab.Roots).Run();
            Assert.Equal(JobOutcome.Failed, end.Outcome);
            Assert.Contains("outside", end.Reason, StringComparison.Ordinal);
        }

        Assert.Empty(Directory.GetFileSystemEntries(_lab["elsewhere"]));
    }

    [Fact]
    public void A_root_that_no_worker_reaches_is_named()
    {
        _lab.AddRaw("in/a.raw", 1 << 20);
        JobEnd end = new JobDriver(Spec("raw"), new Dictionary<string, string> { ["out"] = _lab["out"] }).Run();
        Assert.Contains("This node does not reach the root 'in'", end.Reason, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("qcow2", StorageCall.Write)]
    [InlineData("qcow2", StorageCall.Flush)]
    [InlineData("qcow2", StorageCall.Read)]
    [InlineData("vdi", StorageCall.Write)]
    [InlineData("vmdk", StorageCall.Write)]
    [InlineData("raw", StorageCall.Write)]
    public void Storage_that_fails_once_is_tried_again_and_where_it_is_full_nothing_is_left(string format, StorageCall call)
    {
        QemuTools.Require();
        string source = _lab.AddRaw("in/a.raw", 3 << 20);
        int fired = 0;
        for (int n = 1; n < 400; n += 1 + n / 2)
        {
            foreach (ImageErrorKind kind in new[] { ImageErrorKind.Io, ImageErrorKind.NoSpace })
            {
                FaultPlan plan = FaultPlan.FailCall(call, n, kind, torn: call == StorageCall.Write);
                var driver = new JobDriver(Spec(format), _lab.Roots) { Workers = 1, WholeThreads = 1, Files = FakeLocator.Failing(new LocalFileLocator(), plan) };
                JobEnd end = driver.Run();
                fired += plan.Fired ? 1 : 0;
                // The first write to a raw file only allocates its start, so that others open it faster: none is lost with it.
                bool isNeeded = !(format == "raw" && call == StorageCall.Write && n == 1);
                if (kind == ImageErrorKind.NoSpace && plan.Fired && isNeeded)
                {
                    Assert.Equal(JobOutcome.Failed, end.Outcome);
                    AssertNothing();
                    continue;
                }

                Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
                QemuTools.Img("compare", "-f", "raw", "-F", format, source, _lab["out/sub/b.img"]);
                File.Delete(_lab["out/sub/b.img"]);
                AssertNothing();
            }
        }

        Assert.True(fired >= 4, $"{fired}");
    }

    [SkippableFact]
    public void An_image_that_a_running_machine_has_is_not_replaced()
    {
        QemuTools.Require();
        _lab.AddRaw("in/a.raw", 1 << 20);
        Directory.CreateDirectory(_lab["out/sub"]);
        QemuTools.Img("create", "-f", "qcow2", _lab["out/sub/b.img"], "1M");
        byte[] before = File.ReadAllBytes(_lab["out/sub/b.img"]);
        using QemuHolder machine = QemuHolder.Io(_lab["out/sub/b.img"], "qcow2");
        JobEnd end = new JobDriver(Spec("qcow2") with { Replace = true }, _lab.Roots).Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        Assert.Contains("lock", end.Reason, StringComparison.Ordinal);
        Assert.Equal(before.Length, new FileInfo(_lab["out/sub/b.img"]).Length);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_target_that_is_there_is_replaced_only_where_that_was_asked_for(bool replace)
    {
        _lab.AddRaw("in/a.raw", 1 << 20);
        Directory.CreateDirectory(_lab["out/sub"]);
        File.WriteAllText(_lab["out/sub/b.img"], "old");
        JobEnd end = new JobDriver(Spec("raw") with { Replace = replace }, _lab.Roots).Run();
        Assert.Equal(replace ? JobOutcome.Succeeded : JobOutcome.Failed, end.Outcome);
        Assert.Equal(replace ? 1 << 20 : 3, new FileInfo(_lab["out/sub/b.img"]).Length);
        _lab.AssertClean();
    }

    [Fact]
    public void One_that_comes_into_its_place_meanwhile_is_not_replaced()
    {
        _lab.AddRaw("in/a.raw", 1 << 20);
        JobDriver driver = new(Spec("raw"), _lab.Roots)
        {
            Around = (runner, task, shard, scope) =>
            {
                if (task.Stage == StageKind.Install)
                {
                    File.WriteAllText(_lab["out/sub/b.img"], "somebody's");
                }

                return runner.Run(task, shard, scope);
            },
        };
        Assert.Equal(JobOutcome.Failed, driver.Run().Outcome);
        Assert.Equal("somebody's", File.ReadAllText(_lab["out/sub/b.img"]));
        _lab.AssertClean();
    }

    [SkippableFact]
    public void An_old_target_of_the_same_size_is_not_taken_for_the_one_that_somebody_removed()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "which file it is only Linux tells");
        _lab.AddRaw("in/a.raw", 1 << 20);
        Directory.CreateDirectory(_lab["out/sub"]);
        File.WriteAllBytes(_lab["out/sub/b.img"], new byte[1 << 20]);
        JobDriver driver = new(Spec("raw") with { Replace = true }, _lab.Roots)
        {
            Around = (runner, task, shard, scope) =>
            {
                if (task.Stage == StageKind.Install)
                {
                    new StagingArea(_lab["out/sub/b.img"], task.JobId).Remove();
                }

                return runner.Run(task, shard, scope);
            },
        };
        JobEnd end = driver.Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        Assert.Contains("The finished target of this job is gone", end.Reason, StringComparison.Ordinal);
        Assert.Equal(new byte[1 << 20], File.ReadAllBytes(_lab["out/sub/b.img"]));
    }

    [Fact]
    public void A_target_is_known_by_one_name()
    {
        _lab.AddRaw("in/a.raw", 1 << 20);
        Directory.CreateDirectory(_lab["out/real"]);
        Directory.CreateSymbolicLink(_lab["out/alias"], _lab["out/real"]);
        JobEnd end = new JobDriver(Spec("raw") with { Target = WorkLab.Out("alias/b.img") }, _lab.Roots).Run();
        Assert.Contains("It is out:real/b.img, links resolved: use that name", end.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_step_that_the_job_does_not_have_is_refused()
    {
        var task = new WorkTask("job", StageKind.Relink, Spec("raw"), null, null);
        Assert.Contains("does not know the step Relink of convert",
            Assert.Throws<ImageException>(() => new ShardRunner(new RootMap(_lab.Roots)).Run(task, 0, Scopes.Of())).Message, StringComparison.Ordinal);
    }

    private static ConvertSpec Spec(string format) => WorkLab.ConvertTo(format);

    private void AssertNothing() => Assert.Empty(Directory.EnumerateFiles(_lab["out"], "*", SearchOption.AllDirectories));
}
