using System.Collections.Immutable;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Jobs.Tests.Contracts;

/// <summary>
/// One or more of each event and command, with every field set to something of its own. They belong to the stored fixtures: a sample is
/// never changed, a new version of a contract gets new ones.
/// </summary>
internal static class Samples
{
    private static readonly ImageName A = new("vmware", "prod/a b.vmdk");
    private static readonly ImageName B = new("/mnt/kvm", "ä/b.qcow2");
    private static readonly Instant T = new(1_750_000_000_123);
    private static readonly GuestHash Hash = GuestHash.Of("sample"u8);

    private static readonly ConvertSpec Convert = new()
    {
        Source = A,
        SourceFormat = "vmdk",
        Target = B,
        TargetFormat = "qcow2",
        Options = ImmutableSortedDictionary<string, string>.Empty.Add("cluster_size", "64k").Add("compression_type", "zstd"),
        Compress = true,
        Backing = new ImageName("kvm", "base.qcow2"),
        BackingFormat = "qcow2",
        Replace = true,
        Verify = VerifyMode.Digest,
    };

    private static readonly ChangeSpec Change = new()
    {
        Image = B,
        Format = "qcow2",
        Change = UsePurpose.Create,
        Size = 0,
        Snapshot = "s1",
        Options = ImmutableSortedDictionary<string, string>.Empty.Add("compat", "1.1"),
        Backing = A,
        BackingFormat = "vmdk",
        Force = true,
    };

    private static readonly JobSettings Settings = new()
    {
        Priority = 7,
        MaxShards = 16,
        MaxFailures = 4,
        MaxLosses = 5,
        BytesPerSecond = 1 << 30,
        Migration = "m1",
    };

    private static readonly JobSettings Shared = Settings with
    {
        SharedRates = ImmutableSortedDictionary<string, SharedRate>.Empty.Add("m1", new SharedRate(1L << 40)).Add("m1/vms", new SharedRate(5, "vms")),
    };

    private static readonly ConvertSpec Encrypted = Convert with { Secrets = ImmutableSortedDictionary<ImageName, string>.Empty.Add(A, "vault-old").Add(B, "vault-new") };

    private static readonly JobPlan Plan = new()
    {
        VirtualSize = (1L << 40) + 512,
        ShardLength = 512L << 20,
        Stages = [new StagePlan(StageKind.Create, 1), new StagePlan(StageKind.Copy, 2049), new StagePlan(StageKind.Finish, 1)],
        CleanUp = true,
    };

    private static readonly ShardResult Result = new()
    {
        Shard = 1234,
        Manifest = new ShardManifest(1234, [0, 5L << 30], [new RoomExtent(5L << 30, 300L << 20), new RoomExtent(6L << 30, 1 << 16, 3)], 299L << 20),
        Digest = [new GuestDigestPart(1234 << 9, 9, Hash)],
        BytesRead = 400L << 20,
        BytesWritten = 299L << 20,
        FirstDifference = 0,
        Detail = "{}",
    };

    private static readonly ImageResult ImageOutcome = new(JobOutcome.Failed, "no space", "sha256t:12", 1L << 35, 1L << 34);

    private static readonly FillLayout Layout = new() { Shards = 2049, RoomStart = 0, RoomAlignment = 65536, RoomEnd = 1L << 50 };

    public static IReadOnlyList<object> Events { get; } =
    [
        new ImageNamed(A),
        new LeaseGranted(5, "m1.0.1", UsePurpose.Fill, "x=1", T, TimeSpan.FromSeconds(30)),
        new LeaseRenewed(5, T),
        new LeaseReleased(5, T),
        new LeaseExpired(5, T),
        new LeaseRevoked(5, "op", "stuck", T),
        new LeasesRestarted(T),
        new DependentAdded(B),
        new DependentRemoved(B),
        new DependentRemoved(A) { Reason = "deleted" },
        new FillStarted(5, Layout),
        new FillStarted(6, Layout with { RoomStart = -1 }),
        new RoomGranted(77, new RoomGrant(2, 5L << 30, 513L << 20, Dirty: true)),
        new ShardsPublished(77, [new PublishedShard(1234, [new RoomExtent(5L << 30, 300L << 20)]), new PublishedShard(1235, [])]),
        new RoomClosed(77, ImmutableSortedDictionary<int, long>.Empty.Add(0, 6L << 30).Add(2, 7L << 30), null),
        new RoomClosed(78, ImmutableSortedDictionary<int, long>.Empty, T),
        new TargetFinished("sha256t:ab", T),
        new FillAbandoned(T),
        new ChangeEnded(5, true, "done", T),

        new JobSubmitted("m1.0.1", Convert, Settings, T),
        new JobSubmitted("c1", new CompareSpec { First = A, FirstFormat = "vmdk", Second = B, SecondFormat = "qcow2", Strict = true }, Settings, T),
        new JobSubmitted("c2", new CommitSpec { Top = A, TopFormat = "qcow2", Base = B, KeepTop = true }, Settings, T),
        new JobSubmitted("r1", new RebaseSpec { Image = A, Format = "qcow2", Backing = B, BackingFormat = "raw", Unsafe = true }, Settings, T),
        new JobSubmitted("m1.0.5", Change, JobSettings.Default, T),
        new JobSubmitted("m1.gather", new GatherSpec { Migration = "m1", Manifest = "version: 1\n", UsedRoots = ["kvm", "vmware"] }, JobSettings.Default, T),
        new JobSubmitted("m1.0.3", Encrypted, Shared, T),
        new JobSubmitted("m1.0.7", new ConvertSpec { Source = A, Target = B, TargetFormat = "raw", Verify = VerifyMode.None, TakesDigest = false }, JobSettings.Default, T),
        new UsesTaken([new JobUse(A, UsePurpose.Read, 9), new JobUse(B, UsePurpose.Fill, 5)], T),
        new UsesReleased(T),
        new JobPlanned(Plan, T),
        new StageEntered(1, StageKind.Copy, 2049, T),
        new StageEntered(-1, StageKind.CleanUp, 1, T),
        new ShardsStarted(77, "worker-3/1", RangeSet.Of(3, 11).Add(1234), T, TimeSpan.FromSeconds(20), T + TimeSpan.FromSeconds(15)),
        new AssignmentRenewed(77, T),
        new AssignmentsRestarted(T),
        new ShardsCompleted(77, [Result, new ShardResult { Shard = 3 }]),
        new ShardFailed(77, 1234, "Input/output error", true, T),
        new AssignmentEnded(77, true, T),
        new JobPaused("op", T),
        new JobResumed("op", T),
        new JobStopping(new JobEnd(JobOutcome.Cancelled, "cancelled by op", T)),
        new JobEnded(new JobEnd(JobOutcome.Succeeded, "", T), "sha256t:ab", 4096),
        new JobEnded(new JobEnd(JobOutcome.Failed, "no space", T), "", null),

        new MigrationSubmitted("m1", "west", "version: 1\n", "op", T),
        new ImagesPlanned(
        [
            new MigratedImage { Index = 0, Source = A, SourceFormat = "vmdk", Target = B, VirtualSize = 1L << 40, AllocatedBytes = 1L << 35, EstimatedBytes = 1L << 36 },
            new MigratedImage { Index = 1, Source = B, Base = 0, Progress = ImageProgress.Refused, Reason = "truncated" },
        ]),
        new ImagesPlanned([new MigratedImage { Index = 2, Source = A, SourceSecret = "vault-old", Target = B }]),
        new PlanCompleted(T),
        new PlanRefused(["no space", "two sources have one target"], T),
        new ImagesStarted(RangeSet.Of(0, 3).Add(7), T),
        new ImageEnded(1, ImageOutcome, T),
        new MigrationPaused("op", T),
        new MigrationResumed("op", T),
        new MigrationCancelled("op", T),
        new ImagesRetried(RangeSet.Of(4, 5), "op", T),
        new MigrationEnded(T),
    ];

    public static IReadOnlyList<object> States { get; } =
    [
        new ImageState
        {
            Name = A,
            LastToken = 9,
            Leases = ImmutableSortedDictionary<long, Lease>.Empty
                .Add(8, new Lease { Token = 8, Holder = "job-1", Purpose = UsePurpose.Read, Detail = "d", GrantedAt = T, Duration = TimeSpan.FromSeconds(60), Deadline = T + TimeSpan.FromSeconds(61) })
                .Add(9, new Lease { Token = 9, Holder = "job-2", Purpose = UsePurpose.Read, GrantedAt = T, Duration = TimeSpan.FromSeconds(6), Deadline = T, Revoked = "by op: " }),
            Dependents = [A, B],
            Fill = new FillState
            {
                Holder = "job-3",
                Purpose = UsePurpose.Commit,
                Layout = new FillLayout { Shards = 7, RoomStart = 4096, RoomAlignment = 64, RoomEnd = 1L << 40 },
                HighWater = 5L << 30,
                Open = ImmutableSortedDictionary<long, OpenRoom>.Empty.Add(77, new OpenRoom(
                    ImmutableSortedDictionary<int, RoomGrant>.Empty.Add(0, new RoomGrant(0, 8192, 640, true)).Add(3, new RoomGrant(3, 1L << 32, 64, false)),
                    RangeSet.Of(8192, 8832).Add(1L << 32, (1L << 32) + 64),
                    RangeSet.Of(8192, 8200))).Add(78, OpenRoom.Empty),
                Closed = RangeSet.Of(0, 70).Add(72),
                Free = ImmutableSortedDictionary<long, FreeRoom>.Empty.Add(4096, new FreeRoom(4096, 64, true)).Add(1 << 20, new FreeRoom(1 << 20, 128, false)),
                Published = RangeSet.Of(1, 3).Add(5),
            },
            Finished = new FinishedTarget("job-0", UsePurpose.Fill, "sha256t:1", T),
            LastChange = new ImageChange(5, UsePurpose.Resize, "+1G", ChangeOutcome.Failed, "no space", T),
        },
        new ImageState { Name = B },
    ];

    public static IReadOnlyList<object> Commands { get; } =
    [
        new TakeUse(A, T, "m1.0.1", UsePurpose.Commit, TimeSpan.FromSeconds(30), "x=1", [B]),
        new RenewUse(A, T, 5),
        new EndUse(A, T, 5),
        new ExpireUses(A, T),
        new RevokeUse(A, T, 5, "op", "stuck"),
        new RestartUses(A, T),
        new AddDependent(A, T, B),
        new RemoveDependent(A, T, B),
        new RemoveDependent(A, T, B) { Reason = "deleted" },
        new StartFill(A, T, 5, Layout),
        new GrantRoom(A, T, 5, 77, 2, 513L << 20, 1 << 20),
        new PublishShards(A, T, 5, 77, [Result.Manifest!, new ShardManifest(3, [], [], 0)]),
        new CloseRoom(A, T, 5, 77, ImmutableSortedDictionary<int, long>.Empty.Add(2, 7L << 30)),
        new CloseRoom(A, T, 5, 77, ImmutableSortedDictionary<int, long>.Empty),
        new FinishTarget(A, T, 5, "sha256t:ab"),
        new AbandonFill(A, T, 5),
        new EndChange(A, T, 5, true, "done"),

        new SubmitJob("m1.0.1", T, Convert, Settings),
        new SubmitJob("m1.0.5", T, Change, Settings),
        new NoteUses("m1.0.1", T, [new JobUse(A, UsePurpose.Read, 9)]),
        new ProbeAgain("m1.0.1", T, [new JobUse(A, UsePurpose.Read, 9)]),
        new SubmitJob("m1.0.2", T, Convert, Settings with { SharedLimits = ImmutableSortedDictionary<string, int>.Empty.Add("m1", 8) }),
        new SubmitJob("m1.0.3", T, Encrypted, Shared),
        new PlanJob("m1.0.1", T, Plan),
        new StartShards("m1.0.1", T, "worker-3/1", 8, TimeSpan.FromSeconds(20), T + TimeSpan.FromSeconds(15)),
        new RenewAssignment("m1.0.1", T, 77, T + TimeSpan.FromSeconds(15)),
        new CompleteShards("m1.0.1", T, 77, [Result]),
        new FailShard("m1.0.1", T, 77, 1234, "Input/output error", true),
        new HandBack("m1.0.1", T, 77),
        new ExpireAssignments("m1.0.1", T),
        new RestartAssignments("m1.0.1", T),
        new PauseJob("m1.0.1", T, "op"),
        new ResumeJob("m1.0.1", T, "op"),
        new CancelJob("m1.0.1", T, "op"),
        new FailJob("m1.0.1", T, "no worker"),
        new NoteReleased("m1.0.1", T),

        new SubmitMigration("m1", T, "west", "version: 1\n", "op"),
        new PlanImages("m1", T, [new MigratedImage { Index = 0, Source = A, Target = B }]),
        new CompletePlan("m1", T),
        new RefusePlan("m1", T, ["no space"]),
        new StartImages("m1", T, 4),
        new EndImage("m1", T, 1, 2, ImageOutcome),
        new PauseMigration("m1", T, "op"),
        new ResumeMigration("m1", T, "op"),
        new CancelMigration("m1", T, "op"),
        new RetryImages("m1", T, "op"),

        new Refusal(RefusalKind.HasDependents, "vm:x stands on it"),
    ];
}
