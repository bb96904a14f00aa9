using System.Collections.Immutable;
using Akka.Actor;
using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Operating;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Migrations;
using Xunit.Abstractions;

namespace ImageCluster.Cluster.Tests.Operating;

public sealed class ActorOperationsTests : ActorTest
{
    private const string Manifest = "version: 1\nname: lab\nsources:\n  - {root: v, include: \"*.vmdk\"}\ntarget: {root: k, format: qcow2}\n";

    private static readonly Instant Then = Instant.From(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private static readonly ImageName A = new("k", "a.qcow2");

    private readonly List<object> _asked = [];
    private readonly ActorOperations _operations;
    private Func<object, object?> _answer = _ => null;

    public ActorOperationsTests(ITestOutputHelper output)
        : base(output)
    {
        Func<object, object?> record = message =>
        {
            lock (_asked)
            {
                _asked.Add(message);
            }

            return _answer(message);
        };
        IActorRef all = Sys.ActorOf(Props.Create(() => new Answering(record)));
        _operations = new ActorOperations(() => Task.FromResult(new ClusterActors(all, all, all, all, all)), TimeProvider.System);
    }

    [Fact]
    public async Task A_migration_goes_to_its_record_and_comes_back_as_a_document()
    {
        JobSummary job = Summary("m.0.1") with { Stage = StageKind.Copy, Shards = 8, ShardsDone = 3, BytesRead = 77 };
        var image = new MigratedImage
        {
            Index = 0,
            Source = new ImageName("v", "a.vmdk"),
            Target = A,
            AllocatedBytes = 100,
            Progress = ImageProgress.Running,
            Attempt = 1,
            StartedAt = Then,
        };
        _answer = message => message switch
        {
            SubmitMigration submit => new MigrationDone(submit.MigrationId),
            DescribeMigration describe => new MigrationDescription(
                describe.MigrationId,
                new MigrationOverview
                {
                    MigrationId = describe.MigrationId,
                    Name = "lab",
                    Phase = MigrationPhase.Running,
                    SubmittedBy = "ann",
                    SubmittedAt = Then,
                    Numbers = new MigrationSummary { Images = 3, Running = 1, Waiting = 2, PlannedBytes = 1000, DoneBytes = 37 },
                },
                [new MigrationImage(image, "m.0.1", job)]),
            _ => null,
        };
        MigrationDocument migration = await _operations.SubmitMigrationAsync(new MigrationSubmission { Id = "m", Manifest = Manifest, By = "ann" });
        Assert.Equal(new SubmitMigration("m", default, "lab", Manifest, "ann"), _asked[0]);
        Assert.Equal(("m", "running", "ann", 3, 1000, 37), (migration.Id, migration.State, migration.SubmittedBy, migration.Images.Total, migration.PlannedBytes, migration.DoneBytes));
        MigrationImageDocument running = Assert.Single(migration.Running);
        Assert.Equal(
            ("v:a.vmdk", "k:a.qcow2", "running", "m.0.1", "copy", 8, 3, 77),
            (running.Source, running.Target, running.State, running.Job, running.Stage, running.Shards, running.ShardsDone, running.BytesRead));
        Assert.Equal(Then.ToDateTimeOffset(), running.StartedAt);
        Assert.Null(running.EndedAt);
    }

    [Fact]
    public async Task A_manifest_that_cannot_be_used_reaches_no_actor()
    {
        OperationRefusedException wrong = await Refused(() => _operations.SubmitMigrationAsync(new MigrationSubmission { Id = "m", Manifest = "version: 1\nnam: x\n" }));
        Assert.Equal(RefusalReason.Invalid, wrong.Reason);
        Assert.Contains(wrong.Details, line => line.StartsWith("manifest:2:1: ", StringComparison.Ordinal));
        OperationRefusedException local = await Refused(() => _operations.SubmitMigrationAsync(
            new MigrationSubmission { Id = "m", Manifest = Manifest.Replace("root: v", "root: /mnt/v", StringComparison.Ordinal) }));
        Assert.Equal("root '/mnt/v' is a directory, which only one machine can use; a cluster's nodes know roots by names", local.Message);
        OperationRefusedException remote = await Refused(() => _operations.SubmitMigrationAsync(
            new MigrationSubmission { Id = "m", Manifest = Manifest.Replace("root: v", "root: s3://bucket/v", StringComparison.Ordinal) }));
        Assert.Equal("root 's3://bucket/v' is an address, which only one machine can use; a cluster's nodes know roots by names", remote.Message);
        foreach (string id in new[] { "", "a b", "../x", "-x", new string('x', 200) })
        {
            Assert.Equal(RefusalReason.Invalid, (await Refused(() => _operations.SubmitMigrationAsync(new MigrationSubmission { Id = id, Manifest = Manifest }))).Reason);
            Assert.Equal(RefusalReason.NotFound, (await Refused(() => _operations.GetMigrationAsync(id))).Reason);
        }

        // That is what the job of a migration's image would be called.
        Assert.Equal(RefusalReason.Invalid, (await Refused(() => _operations.SubmitJobAsync(new JobSubmission { Id = "m.0.1", Spec = new CommitSpecDocument { Top = "k:a" } }))).Reason);
        Assert.Equal(RefusalReason.Invalid, (await Refused(() => _operations.SubmitJobAsync(new JobSubmission { Id = new string('x', 101), Spec = new CommitSpecDocument { Top = "k:a" } }))).Reason);
        foreach (string by in new[] { "a\nb", new string('x', 201) })
        {
            Assert.Equal(RefusalReason.Invalid, (await Refused(() => _operations.SubmitMigrationAsync(new MigrationSubmission { Manifest = Manifest, By = by }))).Reason);
            Assert.Equal(RefusalReason.Invalid, (await Refused(() => _operations.ActOnJobAsync("j", ActionKind.Cancel, new ActionRequest(by)))).Reason);
        }

        Assert.Empty(_asked);
    }

    [Theory]
    [InlineData(RefusalKind.Unknown, RefusalReason.NotFound)]
    [InlineData(RefusalKind.Invalid, RefusalReason.Invalid)]
    [InlineData(RefusalKind.Conflict, RefusalReason.Conflict)]
    [InlineData(RefusalKind.InUse, RefusalReason.Busy)]
    [InlineData(RefusalKind.Stale, RefusalReason.Conflict)]
    public async Task What_a_record_refuses_keeps_its_line(RefusalKind kind, RefusalReason reason)
    {
        var refusal = new Refusal(kind, "because");
        _answer = message => message switch
        {
            MigrationCommand command => new MigrationRefused(command.MigrationId, refusal),
            JobCommand command => new JobRefused(command.JobId, refusal),
            ImageCommand command => new ImageRefused(command.Image, refusal),
            _ => null,
        };
        foreach (Func<Task> act in new Func<Task>[]
        {
            () => _operations.ActOnMigrationAsync("m", ActionKind.Cancel, new ActionRequest("ann")),
            () => _operations.ActOnJobAsync("j", ActionKind.Pause, new ActionRequest("ann")),
            () => _operations.ReleaseImageAsync("k:a.qcow2", new ReleaseRequest { Token = 7, Reason = "gone", By = "ann" }),
        })
        {
            OperationRefusedException e = await Refused(act);
            Assert.Equal((reason, "because"), (e.Reason, e.Message));
        }

        Assert.Equal([new CancelMigration("m", default, "ann"), new PauseJob("j", default, "ann"), new RevokeUse(A, default, 7, "ann", "gone")], _asked);
    }

    [Fact]
    public async Task An_overlay_that_is_known_is_forgotten_with_the_reason_and_another_is_not()
    {
        var overlay = new ImageName("k", "over.qcow2");
        _answer = message => message switch
        {
            DescribeImage describe => new ImageDescription(describe.Image, [], [overlay], 0, 0, "", ""),
            ImageCommand command => new ImageDone(command.Image),
            _ => null,
        };
        var request = new ForgetDependentRequest { Dependent = "k:over.qcow2", Reason = " deleted ", By = "ann" };
        await _operations.ForgetDependentAsync("k:a.qcow2", request);
        Assert.Equal([new RemoveDependent(A, default, overlay) { Reason = "by ann: deleted" }], _asked.OfType<RemoveDependent>());
        Assert.Equal(RefusalReason.NotFound, (await Refused(() => _operations.ForgetDependentAsync("k:a.qcow2", request with { Dependent = "k:other" }))).Reason);
        Assert.Equal(RefusalReason.Invalid, (await Refused(() => _operations.ForgetDependentAsync("k:a.qcow2", request with { Reason = " " }))).Reason);
        Assert.Single(_asked.OfType<RemoveDependent>());
    }

    [Fact]
    public async Task Every_operation_of_a_job_comes_through_and_back()
    {
        JobSpec? submitted = null;
        _answer = message =>
        {
            submitted = (message as SubmitJob)?.Spec ?? submitted;
            return message switch
            {
                JobCommand command => new JobDone(command.JobId),
                DescribeJob describe => Description(describe.JobId, submitted!, Summary(describe.JobId)),
                _ => null,
            };
        };
        JobSpecDocument[] specs =
        [
            new ConvertSpecDocument
            {
                Source = "v:a.vmdk", Target = "k:a.qcow2", TargetFormat = "qcow2", SourceFormat = "vmdk", Compress = true, Backing = "k:base.qcow2",
                BackingFormat = "qcow2", Replace = true, Verify = "digest",
            },
            new CompareSpecDocument { First = "v:a", Second = "k:a", Strict = true, FirstFormat = "raw" },
            new CommitSpecDocument { Top = "k:top", Base = "k:base", KeepTop = true },
            new RebaseSpecDocument { Image = "k:top", Backing = "k:base", BackingFormat = "raw", Unsafe = true },
            new ChangeSpecDocument { Image = "k:a", Change = "snapshotCreate", Snapshot = "monday" },
            new ChangeSpecDocument { Image = "k:a", Change = "resize", Size = 1 << 30, Force = true },
        ];
        foreach (JobSpecDocument spec in specs)
        {
            Assert.Equal(spec, (await _operations.SubmitJobAsync(new JobSubmission { Id = "j", Spec = spec, Priority = 7, MaxShards = 3 })).Spec);
        }

        Assert.All(_asked.OfType<SubmitJob>(), submit => Assert.Equal((7, 3), (submit.Settings.Priority, submit.Settings.MaxShards)));
        var options = new ConvertSpecDocument { Source = "v:a", Target = "k:a", TargetFormat = "qcow2", Options = new Dictionary<string, string> { ["cluster_size"] = "64k" } };
        Assert.Equal("64k", ((ConvertSpecDocument)(await _operations.SubmitJobAsync(new JobSubmission { Spec = options })).Spec!).Options!["cluster_size"]);
    }

    [Theory]
    [InlineData("a.qcow2", "qcow2", null, "'a.qcow2' is not the name of an image: ROOT:PATH with the root's name and a relative path without '.' and '..' parts")]
    [InlineData("k:../a", "qcow2", null, "'k:../a' is not the name of an image")]
    [InlineData("/mnt/k:a", "qcow2", null, "'/mnt/k:a' is not the name of an image")]
    [InlineData("k:a", "qcow3", null, "unknown format 'qcow3'")]
    [InlineData("k:a", "dmg", null, "images of format 'dmg' can be read, not created")]
    [InlineData("k:a", "qcow2", "twice", "verify 'twice' is not known")]
    public async Task A_job_that_makes_no_sense_reaches_no_actor(string target, string format, string? verify, string message)
    {
        var spec = new ConvertSpecDocument { Source = "v:a", Target = target, TargetFormat = format, Verify = verify };
        Assert.StartsWith(message, (await Refused(() => _operations.SubmitJobAsync(new JobSubmission { Id = "j", Spec = spec }))).Message, StringComparison.Ordinal);
        Assert.Empty(_asked);
    }

    [Fact]
    public async Task A_retry_submits_the_same_job_under_the_next_id()
    {
        var spec = new CommitSpec { Top = A };
        JobSummary summary = Summary("j") with { Phase = JobPhase.Ended, Outcome = JobOutcome.Failed };
        _answer = message => message switch
        {
            SubmitJob submit => new JobDone(submit.JobId),
            DescribeJob { JobId: "j" } => Description("j", spec, summary),
            DescribeJob describe => Description(describe.JobId, spec, Summary(describe.JobId)),
            _ => null,
        };
        Assert.Equal("j-retry2", (await _operations.ActOnJobAsync("j", ActionKind.Retry, new ActionRequest())).Id);
        Assert.Equal(spec, _asked.OfType<SubmitJob>().Single().Spec);
        Assert.Equal("a-retry3", ActorOperations.NextId("a-retry2"));
        Assert.Equal("a-retryx-retry2", ActorOperations.NextId("a-retryx"));

        summary = summary with { Outcome = JobOutcome.Succeeded };
        Assert.Equal("job j has succeeded; there is nothing to retry", (await Refused(() => _operations.ActOnJobAsync("j", ActionKind.Retry, new ActionRequest()))).Message);
        summary = summary with { Outcome = null };
        Assert.Equal("job j has not ended; there is nothing to retry", (await Refused(() => _operations.ActOnJobAsync("j", ActionKind.Retry, new ActionRequest()))).Message);
    }

    [Fact]
    public async Task Lists_come_from_the_directory_and_the_scheduler()
    {
        _answer = message => message switch
        {
            ListMigrations => new MigrationPage([new MigrationOverview { MigrationId = "m", Phase = MigrationPhase.Paused, SubmittedAt = Then }], 9),
            ListJobs => new JobPage([Summary("j") with { Stage = StageKind.Verify, IsPaused = true }], 8),
            ListImages => new ImagePage([new ImageInUse(A, [new ImageHolder("j", new JobUse(A, UsePurpose.Fill, 41))])], 7),
            ListMigrationImages list => new MigrationImages(list.MigrationId, [], 6),
            DescribeQueue => new QueueDescription([new WorkerDescription("w/1", "node:1", 4, 1, ["k", "v"]), new WorkerDescription("w/2", "", 2, 2, [])], 2, 3, 4),
            _ => null,
        };
        Assert.Equal(("paused", 9), ((await _operations.ListMigrationsAsync(new ListQuery { State = "paused", Offset = 3, Limit = 5 })).Items[0].State, 9));
        JobList jobs = await _operations.ListJobsAsync(new ListQuery { Migration = "m" });
        Assert.Equal(("paused", "verify", 8), (jobs.Items[0].State, jobs.Items[0].Stage, jobs.Total));
        ImageUseDocument use = Assert.Single((await _operations.ListImagesAsync(new ListQuery())).Items[0].Users);
        Assert.Equal(new ImageUseDocument(41, "j", "fill", true), use);
        Assert.Equal(6, (await _operations.ListMigrationImagesAsync("m", new ListQuery { State = "failed" })).Total);
        Assert.Equal(RefusalReason.Invalid, (await Refused(() => _operations.ListMigrationImagesAsync("m", new ListQuery { State = "1" }))).Reason);
        Assert.Equal(["k", "v"], (await _operations.ListWorkersAsync()).Items[0].Roots);
        Assert.Equal(new QueueDocument(2, 3, 4, 2, 3), await _operations.GetQueueAsync());
        Assert.Equal(new ListMigrations(new ListPart("paused", 3, 5)), _asked[0]);
        Assert.Equal(new ListJobs(new ListPart("", 0, 100), "m"), _asked[1]);
        Assert.Equal(new ListMigrationImages("m", ImageProgress.Failed, 0, 100), _asked[3]);
    }

    [Fact]
    public async Task An_image_shows_its_leases()
    {
        _answer = message => message is DescribeImage
            ? new ImageDescription(A, [new ImageUser(7, "j", UsePurpose.SnapshotCreate, "monday", TimeSpan.FromSeconds(12.34), "stuck")], [new ImageName("k", "top")], 9, 4, "", "")
            : null;
        ImageDocument image = await _operations.GetImageAsync("k:a.qcow2");
        Assert.Equal(new ImageUseDocument(7, "j", "snapshotCreate", true, 12.3, "monday", "stuck"), Assert.Single(image.Users));
        Assert.Equal((9, 4, null, "k:top"), (image.Shards, image.ShardsPublished, image.FinishedBy, image.Dependents[0]));
    }

    [Fact]
    public async Task What_is_not_answered_is_asked_again()
    {
        int times = 0;
        _answer = message => message is DescribeQueue && ++times > 1 ? new QueueDescription([], 0, 0, 0) : null;
        Assert.Empty((await _operations.ListWorkersAsync()).Items);
        Assert.Equal(2, times);
    }

    private static JobSummary Summary(string id) => new() { JobId = id, Operation = "convert", Phase = JobPhase.Working, SubmittedAt = Then };

    private static JobDescription Description(string id, JobSpec spec, JobSummary summary) =>
        new(id, summary, spec, JobSettings.Default, ImmutableList<JobAssignment>.Empty, ImmutableList<JobTrouble>.Empty, "");

    private static Task<OperationRefusedException> Refused(Func<Task> act) => Assert.ThrowsAsync<OperationRefusedException>(act);

    private sealed class Answering : ReceiveActor
    {
        public Answering(Func<object, object?> answer) => ReceiveAny(message =>
        {
            if (answer(message) is { } reply)
            {
                Sender.Tell(reply);
            }
        });
    }
}
