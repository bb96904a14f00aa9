using System.Collections.Immutable;
using Akka.Actor;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Cluster.Working;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;
using Microsoft.Win32.SafeHandles;
using Xunit.Abstractions;

namespace ImageCluster.Cluster.Tests.Working;

/// <summary>Real images, filled shard by shard by two tasks at once in room that a real image actor grants.</summary>
public sealed class ConvertRunnerTests(ITestOutputHelper output) : ActorTest(output)
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
        IActorRef image = Sys.ActorOf(Props.Create(() => new ImageActor(Target.Key, new ImageClusterSettings(), TimeProvider.System)));
        long token = (await Ask<UseGranted>(image, new TakeUse(Target, default, "job", UsePurpose.Fill, TimeSpan.FromMinutes(1), "", ImmutableList<ImageName>.Empty))).Token;
        await Ask<ImageDone>(image, new StartFill(Target, default, token, fixture.Layout));

        // Assignment 1 has the even shards from the last on, assignment 2 the odd ones: both at once.
        long shards = fixture.Layout.Shards;
        Assert.True(shards > 4);
        ShardResult[][] results = await Task.WhenAll(new[] { 1, 2 }.Select(assignment => Task.Run(() =>
        {
            TaskScope scope = Scope(image, token, assignment);
            return Enumerable.Range(0, (int)shards).Where(shard => shard % 2 == assignment - 1).Reverse()
                .Select(shard => new ConvertRunner(fixture.Roots).Run(fixture.Task(assignment, token), shard, scope)).ToArray();
        })));
        for (int i = 0; i < 2; i++)
        {
            await Ask<ImageDone>(image, new PublishShards(Target, default, token, i + 1,
                [.. results[i].Select(result => result.Manifest ?? new ShardManifest(result.Shard, [], [], 0))]));
        }

        fixture.Finish(results.SelectMany(all => all).Select(result => result.Manifest).OfType<ShardManifest>());
        QemuTools.Img("compare", "-f", "raw", "-F", format, directory["in/a.raw"], fixture.Place.StagedFile);
        if (format != "raw")
        {
            QemuTools.Img("check", "-f", format, fixture.Place.StagedFile);
        }

        Assert.False(File.Exists(fixture.Place.FinalPath));
        Assert.True(results.SelectMany(all => all).Sum(result => result.BytesRead) > 0);
    }

    [Fact]
    public void A_root_that_the_node_does_not_have_is_named()
    {
        using var directory = new TempDirectory();
        Fixture fixture = Create(directory, "raw", "");
        var runner = new ConvertRunner(new RootMap(new Dictionary<string, string> { ["out"] = directory["out"] }));
        var e = Assert.Throws<ImageException>(() => runner.Run(fixture.Task(1, 1), 0, Scope(ActorRefs.Nobody, 1, 1)));
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
        var e = Assert.Throws<ImageException>(() => new ConvertRunner(fixture.Roots).Run(fixture.Task(1, 1), 0, Scope(ActorRefs.Nobody, 1, 1)));
        Assert.Equal(ImageErrorKind.Policy, e.Kind);
    }

    [Fact]
    public void Without_its_lease_a_task_does_not_touch_the_target()
    {
        using var directory = new TempDirectory();
        Fixture fixture = Create(directory, "raw", "");
        TaskScope scope = Scope(ActorRefs.Nobody, 1, 1);
        scope.Lease.Revoke();
        Assert.Throws<LeaseLostException>(() => new ConvertRunner(fixture.Roots).Run(fixture.Task(1, 1), 0, scope));
        using SafeFileHandle target = File.OpenHandle(fixture.Place.StagedFile);
        byte[] start = new byte[3 << 20];
        RandomAccess.Read(target, start, 0);
        Assert.False(start.AsSpan().ContainsAnyExcept((byte)0));
    }

    private static Task<T> Ask<T>(IActorRef actor, object message) => actor.Ask<T>(message, Soon);

    private static TaskScope Scope(IActorRef image, long token, long assignment)
    {
        var lease = new WorkLease(TimeProvider.System);
        lease.Extend(TimeProvider.System.GetTimestamp(), TimeSpan.FromMinutes(1));
        return new TaskScope(
            lease,
            (request, wanted, atLeast) => Ask<RoomGiven>(image, new GrantRoom(Target, default, token, assignment, request, wanted, atLeast)).Result.Room,
            CancellationToken.None);
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
        private readonly CreateRequest _request;
        private readonly ImageFormat _format;
        private readonly ConvertSpec _spec;
        private readonly long _shardLength;

        public Fixture(TempDirectory directory, string format, string options)
        {
            Roots = new RootMap(new Dictionary<string, string> { ["in"] = directory["in"], ["out"] = directory["out"] });
            Place = new TargetPlace(Roots, Target, "job");
            Directory.CreateDirectory(Place.StagingDirectory);
            _spec = new ConvertSpec
            {
                Source = Source,
                SourceFormat = "raw",
                Target = Target,
                TargetFormat = format,
                Options = options.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(option => option.Split('='))
                    .ToImmutableSortedDictionary(parts => parts[0], parts => parts[1]),
            };
            _format = FormatRegistry.Find(format)!;
            var lease = new WorkLease(TimeProvider.System);
            lease.Extend(TimeProvider.System.GetTimestamp(), TimeSpan.FromMinutes(1));
            _request = new ConvertRunner(Roots).RequestFor(_spec, Size, Place, new TargetLocator(Place, Roots.Locator, lease));
            using IFillTarget target = _format.CreateFill(_request);
            target.Flush();
            _shardLength = target.ShardLength;
            Layout = new FillLayout
            {
                Shards = JobPlan.CountShards(Size, target.ShardLength),
                RoomStart = target.ReservesRoom && target.Room is not NoRoom ? target.Room.HighWater : -1,
                RoomAlignment = target.Granularity,
            };
        }

        public RootMap Roots { get; }

        public TargetPlace Place { get; }

        public FillLayout Layout { get; }

        public ShardTask Task(long assignment, long token) => new("job", assignment, StageKind.Copy, RangeSet.Of(0, Layout.Shards), _spec,
            new JobPlan { VirtualSize = Size, ShardLength = _shardLength, Stages = [new StagePlan(StageKind.Copy, Layout.Shards)] }, Layout, token);

        public void Finish(IEnumerable<ShardManifest> manifests)
        {
            using IFillTarget target = _format.OpenFill(_request);
            long end = 0;
            foreach (ShardManifest manifest in manifests)
            {
                target.Publish(manifest);
                end = manifest.Rooms.Aggregate(end, (highest, room) => Math.Max(highest, room.Start + room.Length));
            }

            if (Layout.HandsOutRoom)
            {
                target.Room.SkipTo(Math.Max(end, Layout.RoomStart));
            }

            target.Finish();
        }
    }
}
