using System.Collections.Immutable;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs.Tests.Execution;

public class JobRecordTests
{
    private const string Id = "m.0.1";
    private const long Mebibyte = 1 << 20;
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly Journal<JobState, JobEvent> _journal = new(JobState.New, JobRecord.Apply);
    private Instant _now = new(1_000_000);

    private JobState State => _journal.State;

    [Fact]
    public void The_same_job_twice_is_the_same_as_once()
    {
        Submit();
        int stored = _journal.Stored.Count;
        Accept(new SubmitJob(Id, _now + Minute, Spec(), new JobSettings { Priority = 9 }));
        Assert.Equal(stored, _journal.Stored.Count);
        Refuse(RefusalKind.Conflict, new SubmitJob(Id, _now, Spec() with { Compress = true }, JobSettings.Default));
        Refuse(RefusalKind.Conflict, new SubmitJob(Id, _now, Spec() with { Secrets = Secret(Spec().Source, "vault") }, JobSettings.Default));
        Refuse(RefusalKind.Conflict, new SubmitJob(Id, _now, Spec() with { Options = Spec().Options.Add("a", "b") }, JobSettings.Default));
        Refuse(RefusalKind.Conflict, new SubmitJob(Id, _now, new CommitSpec { Top = Spec().Source }, JobSettings.Default));
    }

    [Fact]
    public void Secrets_are_named_for_its_images_and_never_written_out()
    {
        Refuse(RefusalKind.Invalid, new SubmitJob(Id, _now, Spec() with { Secrets = Secret(new ImageName("kvm", "other"), "vault") }, JobSettings.Default));
        Refuse(RefusalKind.Invalid, new SubmitJob(Id, _now, Spec() with { Secrets = Secret(Spec().Source, "open sesame!") }, JobSettings.Default));
        Submit(Spec() with { Secrets = Secret(Spec().Source, "vault") });
        int stored = _journal.Stored.Count;
        Accept(new SubmitJob(Id, _now, Spec() with { Secrets = Secret(Spec().Source, "vault") }, JobSettings.Default));
        Assert.Equal(stored, _journal.Stored.Count);
        Assert.Equal(("vault", ""), (State.Spec!.SecretOf(Spec().Source), State.Spec.SecretOf(Spec().Target)));
    }

    [Fact]
    public void A_convert_goes_through_its_steps()
    {
        Submit();
        Assert.Equal((JobPhase.Planning, StageKind.Probe), (State.Phase, State.Stage));
        long probe = Start(8);
        Accept(new CompleteShards(Id, _now, probe, [new ShardResult { Shard = 0, Detail = "{\"virtualSize\":1}" }]));
        Assert.Equal(JobPhase.Planning, State.Phase);
        Assert.Equal("{\"virtualSize\":1}", State.Completed[0].Result.Detail);
        Plan(VerifyMode.Compare);
        Run(StageKind.Create, 1);
        Run(StageKind.Copy, 3);
        Assert.Equal(3, State.Copied.Count);
        Run(StageKind.Finish, 1);
        Assert.Empty(State.Copied);
        Run(StageKind.Verify, 3);
        Run(StageKind.Install, 1);
        Assert.Equal((JobPhase.Ended, JobOutcome.Succeeded), (State.Phase, State.End!.Outcome));
        Assert.StartsWith("sha256t:", State.Digest);
        Assert.Equal((30, 15), (State.BytesRead, State.BytesWritten));
        Refuse(RefusalKind.Conflict, new CancelJob(Id, _now, "op"));
        Accept(new NoteReleased(Id, _now));
        Assert.True(State.IsClosed);
    }

    [Fact]
    public void A_target_that_reads_back_otherwise_fails_the_job_and_is_removed()
    {
        Submit();
        Plan(VerifyMode.Digest);
        Run(StageKind.Create, 1);
        Run(StageKind.Copy, 3);
        Run(StageKind.Finish, 1);
        Run(StageKind.Verify, 3, result => result.Shard == 1 ? result with { Digest = [result.Digest[0] with { Hash = GuestHash.Of("other"u8) }] } : result);
        Assert.Equal(JobPhase.CleaningUp, State.Phase);
        Run(StageKind.CleanUp, 1);
        Assert.Equal(JobOutcome.Failed, State.End!.Outcome);
        Assert.StartsWith("the target reads back with digest sha256t:", State.End.Reason);
    }

    [Fact]
    public void A_target_that_differs_from_its_source_fails_the_job()
    {
        Submit();
        Plan(VerifyMode.Compare);
        Run(StageKind.Create, 1);
        Run(StageKind.Copy, 3);
        Run(StageKind.Finish, 1);
        Run(StageKind.Verify, 3, result => result with { FirstDifference = result.Shard * 4 * Mebibyte + 5 });
        Run(StageKind.CleanUp, 1);
        Assert.Equal((JobOutcome.Failed, "the target differs from its source at offset 5"), (State.End!.Outcome, State.End.Reason));
    }

    [Fact]
    public void A_comparison_stops_at_the_lowest_difference()
    {
        Submit(new CompareSpec { First = new ImageName("a", "x"), Second = new ImageName("b", "y") });
        Accept(new PlanJob(Id, _now, new JobPlan { VirtualSize = 40 * Mebibyte, ShardLength = 4 * Mebibyte, Stages = [new StagePlan(StageKind.Compare, 10)] }));
        long low = Start(2);
        long high = Start(4);
        Accept(new CompleteShards(Id, _now, high, [new ShardResult { Shard = 4, FirstDifference = 4 * 4 * Mebibyte + 1 }]));
        Assert.True(State.Pending.IsEmpty);
        Assert.Empty(State.Unneeded);
        Accept(new CompleteShards(Id, _now, low, [new ShardResult { Shard = 1, FirstDifference = 4 * Mebibyte + 9 }]));
        Assert.Equal([high], State.Unneeded.Select(assignment => assignment.Token));
        Accept(new HandBack(Id, _now, high));
        Assert.False(State.HasEnded);
        Accept(new CompleteShards(Id, _now, low, [new ShardResult { Shard = 0 }]));
        Assert.Equal(JobOutcome.Succeeded, State.End!.Outcome);
        Assert.Equal(4 * Mebibyte + 9, State.FirstDifference);
    }

    [Fact]
    public void A_shard_that_fails_repeatedly_fails_the_job()
    {
        Submit(settings: new JobSettings { MaxFailures = 2 });
        Plan(VerifyMode.None);
        Run(StageKind.Create, 1);
        long first = Start(2);
        Accept(new FailShard(Id, _now, first, 1, "Input/output error", Permanent: false));
        Accept(new FailShard(Id, _now, first, 1, "Input/output error", Permanent: false));
        Assert.Equal(new ShardTrouble(1, 0, "Input/output error"), State.Troubles[1]);
        Assert.Equal(JobPhase.Working, State.Phase);
        long second = Start(1);
        Assert.True(State.Assignments[second].Shards.Contains(1));
        Accept(new FailShard(Id, _now, second, 1, "Input/output error", Permanent: false));
        Assert.Equal(JobPhase.Stopping, State.Phase);
        Refuse(RefusalKind.NothingToDo, new StartShards(Id, _now, "w", 1, Minute, _now + Minute));
        Assert.Equal([first], State.Unneeded.Select(assignment => assignment.Token));
        Accept(new HandBack(Id, _now, first));
        Run(StageKind.CleanUp, 1);
        Assert.Equal("copying failed: shard 1 of 3: Input/output error", State.End!.Reason);
    }

    [Fact]
    public void A_failure_that_lasts_fails_the_job_at_once()
    {
        Submit();
        long probe = Start(1);
        Accept(new FailShard(Id, _now, probe, 0, "Image is truncated", Permanent: true));
        Assert.Equal((JobPhase.Ended, "looking at the images failed: Image is truncated"), (State.Phase, State.End!.Reason));
        Refuse(RefusalKind.Conflict, new PlanJob(Id, _now, PlanOf(VerifyMode.None)));
        Accept(new CancelJob(Id, _now, "op"));
        Assert.Equal(JobOutcome.Failed, State.End.Outcome);
    }

    [Fact]
    public void Lost_workers_shards_are_given_out_again_after_their_lease_and_too_many_losses_fail_the_job()
    {
        Submit(settings: new JobSettings { MaxLosses = 2 });
        Plan(VerifyMode.None);
        Run(StageKind.Create, 1);
        long first = Start(3);
        Accept(new ExpireAssignments(Id, _now + Minute + TimeSpan.FromMilliseconds(-1)));
        Refuse(RefusalKind.NothingToDo, new StartShards(Id, _now, "w", 1, Minute, _now + Minute));
        _now += Minute;
        Refuse(RefusalKind.Stale, new RenewAssignment(Id, _now, first, _now + Minute));
        Accept(new ExpireAssignments(Id, _now));
        long second = Start(3);
        Refuse(RefusalKind.Stale, new CompleteShards(Id, _now, first, [Result(0)]));
        Accept(new CompleteShards(Id, _now, second, [Result(0)]));
        _now += Minute;
        Accept(new ExpireAssignments(Id, _now));
        Run(StageKind.CleanUp, 1);
        Assert.Equal("copying failed: shard 1 of 3: its worker was lost 2 times", State.End!.Reason);
    }

    [Fact]
    public void Paused_starts_nothing_and_finishes_what_is_in_work()
    {
        Submit();
        Plan(VerifyMode.None);
        long create = Start(1);
        Accept(new PauseJob(Id, _now, "op"));
        Accept(new PauseJob(Id, _now, "op"));
        Accept(new CompleteShards(Id, _now, create, [new ShardResult { Shard = 0 }]));
        Assert.Equal(StageKind.Copy, State.Stage);
        Refuse(RefusalKind.Paused, new StartShards(Id, _now, "w", 1, Minute, _now + Minute));
        Accept(new ResumeJob(Id, _now, "op"));
        Start(1);
    }

    [Fact]
    public void Cancelled_while_paused_it_still_cleans_up()
    {
        Submit();
        Plan(VerifyMode.None);
        Accept(new PauseJob(Id, _now, "op"));
        Accept(new CancelJob(Id, _now, "ann"));
        Run(StageKind.CleanUp, 1);
        Assert.Equal((JobOutcome.Cancelled, "cancelled by ann"), (State.End!.Outcome, State.End.Reason));
        Refuse(RefusalKind.Conflict, new PauseJob(Id, _now, "op"));
        Refuse(RefusalKind.Conflict, new PlanJob(Id, _now, PlanOf(VerifyMode.None)));
    }

    [Fact]
    public void What_cannot_be_cleaned_up_is_told_and_the_job_ends()
    {
        Submit(settings: new JobSettings { MaxFailures = 1 });
        Plan(VerifyMode.None);
        Accept(new CancelJob(Id, _now, "ann"));
        Accept(new FailShard(Id, _now, Start(1), 0, "Permission denied", Permanent: false));
        Assert.Equal("cancelled by ann (and what it had begun could not be removed: Permission denied)", State.End!.Reason);
        Assert.True(State.HasEnded);
    }

    [Fact]
    public void A_job_that_does_not_hold_its_images_starts_nothing()
    {
        Submit();
        Refuse(RefusalKind.InUse, new StartShards(Id, _now, "w", 1, Minute, _now));
        Accept(new StartShards(Id, _now, "w", 1, Minute, _now + TimeSpan.FromSeconds(3)));
        Assert.Equal(_now + TimeSpan.FromSeconds(3), State.NextDeadline);
        _now += TimeSpan.FromSeconds(2);
        Accept(new RenewAssignment(Id, _now, 1, _now + TimeSpan.FromSeconds(4)));
        Assert.Equal(_now + TimeSpan.FromSeconds(4), State.NextDeadline);
    }

    [Fact]
    public void A_duration_is_kept_as_it_is_stored()
    {
        Submit();
        Refuse(RefusalKind.Invalid, new StartShards(Id, _now, "w", 1, TimeSpan.FromMicroseconds(999), _now + Minute));
        Accept(new StartShards(Id, _now, "w", 1, TimeSpan.FromMicroseconds(1999), _now + Minute));
        Assert.Equal(TimeSpan.FromMilliseconds(1), State.Assignments[1].Duration);
        _journal.Crash();
    }

    [Fact]
    public void Limits_of_shards_in_work()
    {
        Submit(settings: new JobSettings { MaxShards = 2 });
        Plan(VerifyMode.None);
        Run(StageKind.Create, 1);
        long first = Start(8);
        Assert.Equal(2, State.ShardsInWork);
        Refuse(RefusalKind.NothingToDo, new StartShards(Id, _now, "w", 1, Minute, _now + Minute));
        Accept(new CompleteShards(Id, _now, first, [Result(1)]));
        Start(8);
        Assert.Equal(2, State.ShardsInWork);
    }

    [Fact]
    public void Results_that_cannot_be_are_refused()
    {
        Submit();
        Plan(VerifyMode.None);
        Run(StageKind.Create, 1);
        long token = Start(3);
        ShardResult good = Result(1);
        GuestDigestPart part = good.Digest[0];
        foreach (ShardResult bad in (ShardResult[])
        [
            good with { Shard = 5 },
            good with { Manifest = new ShardManifest(2, [], [], 0) },
            good with { BytesRead = -1 },
            good with { FirstDifference = 5 * Mebibyte },
            good with { Digest = [part with { Level = 3 }] },
            good with { Digest = [part with { Level = 1 }] },
            good with { Digest = [part with { Leaf = 0 }] },
            good with { Digest = [part with { Leaf = -4 }] },
            good with { Digest = [part with { Level = 64 }] },
            good with { Digest = [part, part with { Leaf = 8 }] },
            good with { Digest = [part with { Level = 1 }, part] },
            Result(2) with { Digest = [Result(2).Digest[0] with { Level = 5 }] },
        ])
        {
            Refuse(RefusalKind.Invalid, new CompleteShards(Id, _now, token, [bad]));
        }

        Accept(new CompleteShards(Id, _now, token, [good with { Digest = [part with { Level = 1 }, part with { Leaf = 6, Level = 1 }] }]));
    }

    [Fact]
    public void Without_the_digest_of_every_shard_there_is_none()
    {
        Submit();
        Plan(VerifyMode.None);
        Run(StageKind.Create, 1);
        Run(StageKind.Copy, 3, result => result.Shard == 2 ? result with { Digest = [] } : result);
        Run(StageKind.Finish, 1);
        Run(StageKind.Install, 1);
        Assert.Equal("", State.Digest);
    }

    [Fact]
    public void Plans_and_settings_that_cannot_be_are_refused()
    {
        Refuse(RefusalKind.Unknown, new CancelJob(Id, _now, "op"));
        Refuse(RefusalKind.Invalid, new SubmitJob("", _now, Spec(), JobSettings.Default));
        Refuse(RefusalKind.Invalid, new SubmitJob(Id, _now, Spec(), new JobSettings { MaxFailures = 0 }));
        Submit();
        JobPlan plan = PlanOf(VerifyMode.None);
        foreach (JobPlan bad in (JobPlan[])
        [
            plan with { VirtualSize = -1 },
            plan with { ShardLength = 0 },
            plan with { ShardLength = Mebibyte + 1 },
            plan with { Stages = [] },
            plan with { Stages = [new StagePlan(StageKind.Copy, 0)] },
            plan with { Stages = [new StagePlan(StageKind.Copy, JobPlan.MaxShards + 1)] },
            plan with { Stages = [new StagePlan(StageKind.CleanUp, 1)] },
        ])
        {
            Refuse(RefusalKind.Invalid, new PlanJob(Id, _now, bad));
        }

        long probe = Start(1);
        Refuse(RefusalKind.NotQuiet, new PlanJob(Id, _now, plan));
        Accept(new HandBack(Id, _now, probe));
        Accept(new PlanJob(Id, _now, plan));
        Accept(new PlanJob(Id, _now, PlanOf(VerifyMode.None)));
        Refuse(RefusalKind.Conflict, new PlanJob(Id, _now, PlanOf(VerifyMode.Digest)));
        Refuse(RefusalKind.NotQuiet, new NoteReleased(Id, _now));
    }

    [Fact]
    public void The_leases_that_it_holds_are_noted()
    {
        Submit();
        Accept(new NoteUses(Id, _now, [new JobUse(Spec().Source, UsePurpose.Read, 4)]));
        int stored = _journal.Stored.Count;
        Accept(new NoteUses(Id, _now, [new JobUse(Spec().Source, UsePurpose.Read, 4)]));
        Assert.Equal(stored, _journal.Stored.Count);
        Assert.Equal(4, State.Uses[0].Token);
    }

    [Fact]
    public void An_empty_disk_has_a_digest_too()
    {
        Submit();
        Accept(new PlanJob(Id, _now, JobPlanner.Plan(Spec(), new JobGeometry(0, 512 * Mebibyte, true))));
        foreach (StagePlan stage in State.Plan!.Stages)
        {
            Run(stage.Kind, 1, result => result with { Digest = [] });
        }

        Assert.Equal(new GuestDigestTree(0).Finish().ToString(), State.Digest);
    }

    private static ImmutableSortedDictionary<ImageName, string> Secret(ImageName image, string name) =>
        ImmutableSortedDictionary<ImageName, string>.Empty.Add(image, name);

    private static ConvertSpec Spec() => new()
    {
        Source = new ImageName("vmware", "a.vmdk"),
        Target = new ImageName("kvm", "a.qcow2"),
        TargetFormat = "qcow2",
        Options = ImmutableSortedDictionary<string, string>.Empty.Add("cluster_size", "64k"),
    };

    // Three shards of 4 MiB, the last one cut short.
    private static JobPlan PlanOf(VerifyMode verify) =>
        JobPlanner.Plan(Spec() with { Verify = verify }, new JobGeometry(11 * Mebibyte - 512, 4 * Mebibyte, ShardsIndependent: true));

    private static ShardResult Result(long shard) => new()
    {
        Shard = shard,
        Digest = [new GuestDigestPart(shard * 4, 2, GuestHash.Of([(byte)shard]))],
        BytesRead = 10,
        BytesWritten = 5,
    };

    private void Submit(JobSpec? spec = null, JobSettings? settings = null) =>
        Accept(new SubmitJob(Id, _now, spec ?? Spec(), settings ?? JobSettings.Default));

    private void Plan(VerifyMode verify) => Accept(new PlanJob(Id, _now, PlanOf(verify)));

    private long Start(int count)
    {
        Accept(new StartShards(Id, _now, "worker-1", count, Minute, _now + Minute));
        return State.LastAssignment;
    }

    private void Run(StageKind stage, long shards, Func<ShardResult, ShardResult>? change = null)
    {
        Assert.Equal((stage, shards), (State.Stage, State.StageShards));
        long token = Start(100);
        bool hashes = stage is StageKind.Copy or StageKind.Verify;
        ShardResult[] results = [.. State.Assignments[token].Shards.Values().Select(shard => hashes ? Result(shard) : new ShardResult { Shard = shard })];
        results = stage == StageKind.Verify ? [.. results.Select(result => result with { BytesRead = 0, BytesWritten = 0 })] : results;
        Accept(new CompleteShards(Id, _now, token, [.. results.Select(change ?? (result => result))]));
    }

    private void Accept(JobCommand command) => Assert.Null(_journal.Take(JobRecord.Decide(State, command)));

    private Refusal Refuse(RefusalKind kind, JobCommand command)
    {
        Refusal refusal = Assert.IsType<Refusal>(_journal.Take(JobRecord.Decide(State, command)));
        Assert.Equal(kind, refusal.Kind);
        return refusal;
    }
}
