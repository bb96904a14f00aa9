using System.Collections.Immutable;
using System.Runtime.Serialization;
using Akka.Actor;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Serialization;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Migrations;
using ImageCluster.Jobs.Tests;
using ImageCluster.Jobs.Tests.Contracts;
using Xunit.Abstractions;

namespace ImageCluster.Cluster.Tests.Serialization;

public sealed class ContractSerializerTests(ITestOutputHelper output) : ActorTest(output)
{
    private static readonly ImageName A = new("vmware", "prod/a b.vmdk");
    private static readonly ImageName B = new("kvm", "ä/b.qcow2");

    private static IReadOnlyList<object> All { get; } =
    [
        .. Samples.Events,
        .. Samples.States,
        .. Samples.Commands,
        new Refusal(RefusalKind.InUse, "in use"),
        new DescribeImage(A),
        new ImageDone(A),
        new UseGranted(A, 7, TimeSpan.FromSeconds(12)),
        new RoomGiven(A, 3, new RoomGrant(2, 1 << 20, 1 << 16, Dirty: true)),
        new ImageRefused(A, new Refusal(RefusalKind.Stale, "gone")),
        new ImageDescription(A, [new ImageUser(7, "job", UsePurpose.Fill, "x", TimeSpan.Zero, "by op: stuck")], [B], 9, 4, "job", "sha256t:1") { OpenRooms = [3, 5] },
        new WorkWanted("w/1", 3, ["kvm", "vmware"]) { Slots = 4 },
        new DescribeQueue(),
        new QueueDescription([new WorkerDescription("w/1", "node1:4053", 4, 3, ["kvm"])], 2, 9_000_000_000, 1),
        new WorkOffered("j", 50, 9, 2, ["kvm"], 7) { Limits = ImmutableSortedDictionary<string, int>.Empty.Add("m", 3) },
        new GiveWork("j", "w/1", 8),
        new ReserveBytes("m1/kvm", 1L << 40, "w/1", 1L << 33),
        new BytesReserved("m1/kvm", 1L << 32, TimeSpan.FromMicroseconds(1234)),
        new GiveWork("j", "w/1", 8) { Share = 64 },
        new ShardTask("j", 5, StageKind.Copy, RangeSet.Of(2, 4), Samples.Events.OfType<JobSubmitted>().First().Spec,
            Samples.Events.OfType<JobPlanned>().First().Plan, new FillLayout { Shards = 3, RoomStart = 4096, RoomAlignment = 64 }, 6) { Rates = [new TaskRate("m1", 9, 1), new TaskRate("m1/kvm", 1L << 40, 2)], Probed = "probe.v1:", Target = A, FinishedFile = "1f" },
        new ShardTask("j", 5, StageKind.Probe, RangeSet.Of(0, 1), Samples.Events.OfType<JobSubmitted>().First().Spec, null, null, 0),
        new ListCopied("j", 5),
        new CopiedShards("j", [new ShardManifest(5, [0, 1 << 16], [new RoomExtent(1 << 16, 1 << 20)], 1 << 19)], 6),
        new CopiedShards("j", [], null),
        new AbandonTask("j", 5),
        new JobDone("j"),
        new AssignmentHeld("j", 5, TimeSpan.FromSeconds(3)),
        new JobRefused("j", new Refusal(RefusalKind.Stale, "gone")),
        new DescribeJob("j"),
        new JobDescription("m.1.2", Job, Samples.Events.OfType<JobSubmitted>().First().Spec, Samples.Events.OfType<JobSubmitted>().First().Settings,
            [new JobAssignment(5, "w/1", 3, new Instant(9))], [new JobTrouble(4, new ShardTrouble(1, 2, "lost"))], "compare.v1:"),
        new ReportJob("m", Job with { Outcome = null, EndedAt = null, FirstDifference = null }),
        new DescribeMigration("m"),
        new ListMigrationImages("m", ImageProgress.Running, 5, 10),
        new ListMigrationImages("m", null, 5, 10),
        new MigrationDone("m"),
        new MigrationRefused("m", new Refusal(RefusalKind.Conflict, "other")),
        new MigrationDescription("m", Migration, [Image]),
        new MigrationImages("m", [Image, Image with { Job = null }], 5),
        new NoteJob(Job),
        new NoteMigration(Migration with { EndedAt = null }),
        new EntryNoted("m", true),
        new ForgetJob("j", new Instant(7)),
        new JobForgotten("j"),
        new ForgetMigration("m", new Instant(7)),
        new MigrationForgotten("m"),
        new ListJobs(new ListPart("active", 1, 2), "m"),
        new ListMigrations(new ListPart("", 1, 2)),
        new ListImages(new ListPart("", 1, 2), "m"),
        new JobPage([Job], 3),
        new MigrationPage([Migration], 3),
        new ImagePage([new ImageInUse(A, [new ImageHolder("j", new JobUse(A, UsePurpose.Fill, 4))])], 3),
        new GatheredImages("m.gather", "m", 4, 200, [new MigratedImage { Index = 200, Source = A, Target = B }], true, ["no space"]),
    ];

    private static JobSummary Job => new()
    {
        JobId = "m.1.2",
        Migration = "m",
        Operation = "convert",
        Phase = JobPhase.Ended,
        IsPaused = true,
        Outcome = JobOutcome.Failed,
        Reason = "no space",
        Priority = 7,
        SubmittedAt = new Instant(5),
        EndedAt = new Instant(0),
        Stage = StageKind.Copy,
        Shards = 9,
        ShardsDone = 4,
        ShardsInWork = 2,
        BytesRead = 1L << 40,
        BytesWritten = 1L << 41,
        Digest = "sha256t:1",
        FirstDifference = 0,
        Uses = [new JobUse(A, UsePurpose.Read, 3)],
    };

    private static MigrationOverview Migration => new()
    {
        MigrationId = "m",
        Name = "west",
        Phase = MigrationPhase.Failed,
        SubmittedBy = "op",
        SubmittedAt = new Instant(5),
        EndedAt = new Instant(6),
        Numbers = new MigrationSummary
        {
            Images = 1,
            Waiting = 2,
            Running = 3,
            Succeeded = 4,
            Failed = 5,
            Cancelled = 6,
            Skipped = 7,
            Refused = 8,
            PlannedBytes = 9,
            DoneBytes = 10,
            BytesRead = 11,
            BytesWritten = 12,
        },
        Reasons = ["no space"],
    };

    private static MigrationImage Image => new(
        new MigratedImage
        {
            Index = 3,
            Source = A,
            Target = B,
            Progress = ImageProgress.Failed,
            Attempt = 2,
            Digest = "d",
            BytesRead = 1,
            BytesWritten = 2,
            StartedAt = new Instant(3),
            EndedAt = new Instant(4),
        },
        "m.3.2",
        Job);

    [Fact]
    public void Every_contract_round_trips_through_the_systems_own_choice_of_serializer()
    {
        var seen = new HashSet<string>();
        foreach (object value in All)
        {
            var serializer = Assert.IsType<ContractSerializer>(Sys.Serialization.FindSerializerFor(value));
            string manifest = serializer.Manifest(value);
            seen.Add(manifest);
            object back = Sys.Serialization.Deserialize(serializer.ToBinary(value), ContractSerializer.Id, manifest);
            Assert.Equal(value.GetType(), back.GetType());
            Assert.Equal(StateText.Of(value), StateText.Of(back));
        }

        Assert.Equal(ContractSerializer.Manifests.Order(StringComparer.Ordinal), seen.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("image.lease-granted.v2", "the event 'image.lease-granted.v2', only image.lease-granted.v1: it was written by a newer version")]
    [InlineData("image.state.v2", "the state 'image.state.v2', only image.state.v1: it was written by a newer version")]
    [InlineData("image.done.v9", "the message 'image.done.v9', only image.done.v1")]
    [InlineData("job.nothing.v1", "this program does not know the message 'job.nothing.v1'")]
    [InlineData("", "this program does not know the message ''")]
    public void What_is_unknown_or_newer_is_refused_by_name(string manifest, string message)
    {
        var unreadable = Assert.IsType<Unreadable>(new ContractSerializer((ExtendedActorSystem)Sys).FromBinary([1, 2, 3], manifest));
        Assert.Contains(message, unreadable.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_bytes_are_refused()
    {
        var serializer = new ContractSerializer((ExtendedActorSystem)Sys);
        foreach (string manifest in ContractSerializer.Manifests)
        {
            var unreadable = Assert.IsType<Unreadable>(serializer.FromBinary([0xff, 0xff, 0xff], manifest));
            Assert.Contains("is damaged", unreadable.Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Other_objects_are_no_contracts() =>
        Assert.Throws<SerializationException>(() => new ContractSerializer((ExtendedActorSystem)Sys).Manifest("text"));
}
