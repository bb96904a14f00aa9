using System.Collections.Immutable;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Running;
using ImageCluster.Work.Targets;
using ImageCluster.Work.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Work.Tests.Running;

/// <summary>Real images, filled shard by shard by two tasks at once in room that a real record grants.</summary>
public sealed class CopyRunnerTests
{
    // Sparse: six shards of 512 MiB, the last of one sector.
    private const long Size = (5L << 29) + 512;
    private static readonly ImageName Source = new("in", "a.raw");
    private static readonly ImageName Target = new("out", "sub/b.img");

    [SkippableTheory]
    [InlineData("qcow2", "cluster_size=64k")]
    [InlineData("qcow2", "lazy_refcounts=on,compression_type=zstd")]
    [InlineData("raw", "")]
    public async Task Two_workers_fill_one_target_out_of_order_and_it_equals_its_source(string format, string options)
    {
        QemuTools.Require();
        using var directory = new TempDirectory();
        Fixture fixture = Create(directory, format, options);
        var image = new ImageKeeper(Target, "job", UsePurpose.Fill, fixture.Layout);

        // Assignment 1 has the even shards from the last on, assignment 2 the odd ones: both at once.
        long shards = fixture.Layout.Shards;
        Assert.True(shards > 4);
        ShardResult[][] results = await Task.WhenAll(new[] { 1, 2 }.Select(assignment => Task.Run(() =>
        {
            TaskScope scope = Scopes.Of(image.RoomOf(assignment));
            return Enumerable.Range(0, (int)shards).Where(shard => shard % 2 == assignment - 1).Reverse()
                .Select(shard => new ShardRunner(fixture.Roots).Run(fixture.Task, shard, scope)).ToArray();
        })));
        for (int i = 0; i < 2; i++)
        {
            image.Publish(i + 1, results[i]);
        }

        fixture.Finish(results.SelectMany(all => all).Select(result => result.Manifest).OfType<ShardManifest>());
        QemuTools.Img("compare", "-f", "raw", "-F", format, directory["in/a.raw"], fixture.Staging.MainFile);
        if (format != "raw")
        {
            QemuTools.Img("check", "-f", format, fixture.Staging.MainFile);
        }

        Assert.False(File.Exists(fixture.Staging.FinalPath));
        Assert.True(results.SelectMany(all => all).Sum(result => result.BytesRead) > 0);
    }

    [Fact]
    public void A_root_that_the_node_does_not_have_is_named()
    {
        using var directory = new TempDirectory();
        Fixture fixture = Create(directory, "raw", "");
        var runner = new ShardRunner(new RootMap(new Dictionary<string, string> { ["out"] = directory["out"] }));
        var e = Assert.Throws<ImageException>(() => runner.Run(fixture.Task, 0, Scopes.Of()));
        Assert.Equal("This node does not reach the root 'in'", e.Message);
    }

    [Fact]
    public void A_source_that_leads_out_of_the_roots_is_refused()
    {
        using var directory = new TempDirectory();
        Fixture fixture = Create(directory, "raw", "");
        File.WriteAllBytes(directory["secret"], new byte[4096]);
        File.Delete(directory["in/a.raw"]);
        File.CreateSymbolicLink(directory["in/a.raw"], directory["secret"]);
        var e = Assert.Throws<ImageException>(() => new ShardRunner(fixture.Roots).Run(fixture.Task, 0, Scopes.Of()));
        Assert.Equal(ImageErrorKind.Policy, e.Kind);
    }

    [Fact]
    public void Without_its_lease_a_task_does_not_touch_the_target()
    {
        using var directory = new TempDirectory();
        Fixture fixture = Create(directory, "raw", "");
        TaskScope scope = Scopes.Of();
        scope.Lease.Revoke();
        Assert.Throws<LeaseLostException>(() => new ShardRunner(fixture.Roots).Run(fixture.Task, 0, scope));
        using SafeFileHandle target = File.OpenHandle(fixture.Staging.MainFile);
        byte[] start = new byte[3 << 20];
        RandomAccess.Read(target, start, 0);
        Assert.False(start.AsSpan().ContainsAnyExcept((byte)0));
    }

    private static Fixture Create(TempDirectory directory, string format, string options)
    {
        Directory.CreateDirectory(directory["in"]);
        Directory.CreateDirectory(directory["out/sub"]);
        using SafeFileHandle source = File.OpenHandle(directory["in/a.raw"], FileMode.CreateNew, FileAccess.Write);
        RandomAccess.SetLength(source, Size);
        for (int shard = 0; shard < 5; shard++)
        {
            // The third shard holds nothing; the others' data crosses its start or lies inside.
            if (shard != 2)
            {
                RandomAccess.Write(source, GuestContent.Make(3 << 20, shard), Math.Max(0, ((long)shard << 29) - (shard == 1 ? 1 << 20 : 0)));
            }
        }

        RandomAccess.Write(source, GuestContent.Make(512, 9), Size - 512);
        return new Fixture(directory, format, options);
    }

    private sealed class Fixture
    {
        private readonly ConvertTarget _target;

        public Fixture(TempDirectory directory, string format, string options)
        {
            Roots = new RootMap(new Dictionary<string, string> { ["in"] = directory["in"], ["out"] = directory["out"] });
            var spec = new ConvertSpec
            {
                Source = Source,
                SourceFormat = "raw",
                Target = Target,
                TargetFormat = format,
                Options = options.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(option => option.Split('='))
                    .ToImmutableSortedDictionary(parts => parts[0], parts => parts[1]),
            };
            Staging = new StagingArea(Roots.PathOf(Target), "job");
            _target = new ConvertTarget(spec, Size, Staging, Roots.Locator, null, OpenMode.ReadWrite);
            using IFillTarget target = _target.Create();
            JobPlan plan = JobPlanner.Plan(spec, ConvertTarget.GeometryOf(target));
            Layout = ConvertTarget.LayoutOf(target, JobPlan.CountShards(Size, plan.ShardLength));
            Task = new WorkTask("job", StageKind.Copy, spec, plan, Layout);
        }

        public RootMap Roots { get; }

        public StagingArea Staging { get; }

        public FillLayout Layout { get; }

        public WorkTask Task { get; }

        public void Finish(IEnumerable<ShardManifest> manifests)
        {
            using IFillTarget target = _target.Open();
            ConvertTarget.Finish(target, Layout, manifests);
        }
    }
}
