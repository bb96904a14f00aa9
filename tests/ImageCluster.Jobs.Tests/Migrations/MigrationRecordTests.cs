using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Jobs.Tests.Migrations;

public class MigrationRecordTests
{
    private const string Id = "m1";
    private static readonly Instant Now = new(1000);

    private readonly Journal<MigrationState, MigrationEvent> _journal = new(MigrationState.New, MigrationRecord.Apply);

    private MigrationState State => _journal.State;

    [Fact]
    public void Submitted_twice_it_is_the_same_as_once()
    {
        Accept(Submit("a: 1"));
        Accept(Submit("a: 1"));
        Assert.Single(_journal.Stored);
        Assert.Contains("choose another id", Refuse(RefusalKind.Conflict, Submit("a: 2")).Message, StringComparison.Ordinal);
        Refuse(RefusalKind.Unknown, new CompletePlan("m2", Now));
    }

    [Fact]
    public void A_plan_comes_in_pieces_and_again_after_an_interruption()
    {
        Accept(Submit());
        Refuse(RefusalKind.NotQuiet, new StartImages(Id, Now, 1));
        Accept(new PlanImages(Id, Now, [Image(0), Image(1)]));
        Refuse(RefusalKind.Invalid, new PlanImages(Id, Now, [Image(3)]));
        Accept(new PlanImages(Id, Now, [Image(0), Image(1), Image(2)]));
        Accept(new CompletePlan(Id, Now));
        Accept(new CompletePlan(Id, Now));
        Refuse(RefusalKind.Conflict, new PlanImages(Id, Now, [Image(3)]));
        Refuse(RefusalKind.Conflict, new RefusePlan(Id, Now, ["late"]));
        Assert.Equal(3, State.Images.Count);
        Assert.Equal(MigrationPhase.Running, State.Phase);
    }

    [Fact]
    public void Images_that_cannot_be_planned_so_are_refused()
    {
        Accept(Submit());
        foreach (MigratedImage bad in (MigratedImage[])
        [
            Image(0) with { Base = 0 },
            Image(0) with { Base = -2 },
            Image(0) with { Target = null },
            Image(0) with { Progress = ImageProgress.Succeeded },
            Image(-1) with { Index = 1 },
        ])
        {
            Refuse(RefusalKind.Invalid, new PlanImages(Id, Now, [bad]));
        }
    }

    [Fact]
    public void A_refused_plan_ends_the_migration()
    {
        Accept(Submit());
        Accept(new RefusePlan(Id, Now, ["no space", "x"]));
        Assert.Equal((MigrationPhase.Failed, "no space"), (State.Phase, State.Refusals[0]));
        Refuse(RefusalKind.Conflict, new RetryImages(Id, Now, "op"));
        Refuse(RefusalKind.Conflict, new PauseMigration(Id, Now, "op"));
    }

    [Fact]
    public void A_plan_with_nothing_to_convert_is_a_success()
    {
        Planned(Image(0) with { Progress = ImageProgress.Skipped });
        Assert.Equal(MigrationPhase.Succeeded, State.Phase);
    }

    [Fact]
    public void A_base_that_failed_fails_what_stands_on_it_and_both_can_be_tried_again()
    {
        Planned(Image(0), Image(1) with { Base = 0 }, Image(2) with { Base = 1 }, Image(3));
        Accept(new StartImages(Id, Now, 9));
        Assert.Equal("0, 3", State.Running.ToString());
        Assert.Equal("m1.0.1", State.JobIdOf(State.Images[0]));
        End(3, JobOutcome.Succeeded);
        End(0, JobOutcome.Failed);
        Assert.Equal((ImageProgress.Failed, "its base vm:1 was not converted"), (State.Images[2].Progress, State.Images[2].Reason));
        Assert.Equal(MigrationPhase.Failed, State.Phase);

        Accept(new RetryImages(Id, Now, "op"));
        Assert.Equal(MigrationPhase.Running, State.Phase);
        for (int i = 0; i < 3; i++)
        {
            Accept(new StartImages(Id, Now, 9));
            Assert.Equal($"{i}", State.Running.ToString());
            End(i, JobOutcome.Succeeded);
        }

        Assert.Equal("m1.0.2", State.JobIdOf(State.Images[0]));
        Assert.Equal(MigrationPhase.Succeeded, State.Phase);
        Assert.Equal(0, State.Waiting.Count);
    }

    [Fact]
    public void Tried_again_without_its_base_it_fails_again_and_the_migration_ends()
    {
        Planned(Image(0) with { Progress = ImageProgress.Refused }, Image(1) with { Base = 0 });
        Assert.Equal(MigrationPhase.Failed, State.Phase);
        Accept(new RetryImages(Id, Now, "op"));
        Assert.Equal((MigrationPhase.Failed, "its base vm:0 was not converted"), (State.Phase, State.Images[1].Reason));
    }

    [Fact]
    public void Cancelled_it_waits_for_what_runs()
    {
        Planned(Image(0), Image(1));
        Accept(new StartImages(Id, Now, 1));
        Accept(new PauseMigration(Id, Now, "op"));
        Refuse(RefusalKind.Paused, new StartImages(Id, Now, 2));
        Accept(new CancelMigration(Id, Now, "ann"));
        Assert.Equal((MigrationPhase.Cancelling, "cancelled by ann"), (State.Phase, State.Images[1].Reason));
        Refuse(RefusalKind.NotQuiet, new RetryImages(Id, Now, "op"));
        End(0, JobOutcome.Succeeded);
        Assert.Equal(MigrationPhase.Cancelled, State.Phase);
        Accept(new CancelMigration(Id, Now, "ann"));
        Accept(new RetryImages(Id, Now, "op"));
        Accept(new StartImages(Id, Now, 2));
        Assert.Equal("1", State.Running.ToString());
    }

    [Fact]
    public void Cancelled_before_it_is_planned_it_is_over()
    {
        Accept(Submit());
        Accept(new PlanImages(Id, Now, [Image(0)]));
        Accept(new CancelMigration(Id, Now, "ann"));
        Assert.Equal(MigrationPhase.Cancelled, State.Phase);
        Refuse(RefusalKind.Conflict, new CompletePlan(Id, Now));
    }

    [Fact]
    public void Late_and_repeated_answers_change_nothing()
    {
        Planned(Image(0), Image(1));
        Accept(new StartImages(Id, Now, 1));
        Refuse(RefusalKind.Stale, new EndImage(Id, Now, 0, 2, Result(JobOutcome.Failed)));
        Refuse(RefusalKind.Stale, new EndImage(Id, Now, 1, 1, Result(JobOutcome.Failed)));
        Refuse(RefusalKind.Invalid, new EndImage(Id, Now, 7, 1, Result(JobOutcome.Failed)));
        End(0, JobOutcome.Failed);
        End(0, JobOutcome.Succeeded);
        Assert.Equal(ImageProgress.Failed, State.Images[0].Progress);
    }

    private static MigratedImage Image(int index) =>
        new() { Index = index, Source = new ImageName("vm", $"{index}"), Target = new ImageName("kvm", $"{index}") };

    private static SubmitMigration Submit(string manifest = "") => new(Id, Now, "west", manifest, "op");

    private static ImageResult Result(JobOutcome outcome) => new(outcome, "", "", 1, 1);

    private void Planned(params MigratedImage[] images)
    {
        Accept(Submit());
        Accept(new PlanImages(Id, Now, [.. images]));
        Accept(new CompletePlan(Id, Now));
    }

    private void End(int index, JobOutcome outcome) => Accept(new EndImage(Id, Now, index, State.Images[index].Attempt, Result(outcome)));

    private void Accept(MigrationCommand command) => Assert.Null(_journal.Take(MigrationRecord.Decide(State, command)));

    private Refusal Refuse(RefusalKind kind, MigrationCommand command)
    {
        Refusal refusal = Assert.IsType<Refusal>(_journal.Take(MigrationRecord.Decide(State, command)));
        Assert.Equal(kind, refusal.Kind);
        return refusal;
    }
}
