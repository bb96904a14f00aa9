using CsCheck;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Jobs.Tests.Migrations;

/// <summary>Any sequence of commands and crashes; then every image is brought to its end.</summary>
public class MigrationRecordProperties
{
    [Fact]
    public void Images_are_converted_once_bases_first_and_the_migration_ends() =>
        Gen.Select(Gen.Int[0, 29], Gen.Int[0, 1000], Gen.Int[0, 1000]).Array[0, 80].Sample(steps =>
        {
            var world = new World();
            foreach ((int step, int a, int b) in steps)
            {
                world.Step(step, a, b);
                world.CheckInvariants();
            }

            world.DriveToTheEnd();
        }, iter: 500);

    private sealed class World
    {
        private const string Id = "m1";
        private const int Count = 8;

        private readonly HashSet<int> _succeeded = [];
        private readonly Journal<MigrationState, MigrationEvent> _journal = new(MigrationState.New, MigrationRecord.Apply);
        private long _time = 1000;

        public World() => Assert.Null(Do(Submit("version: 1")));

        private MigrationState State => _journal.State;

        private Instant Now => new(_time++);

        public void Step(int step, int a, int b)
        {
            switch (step)
            {
                case < 3:
                    Do(new PlanImages(Id, Now, [.. Plan().Take(a % (Count + 1))]));
                    break;
                case < 5:
                    PlanAll();
                    break;
                case < 13:
                    Start(1 + a % 4);
                    break;
                case < 22:
                    End(a, b % 5 == 0 ? JobOutcome.Failed : b % 17 == 0 ? JobOutcome.Cancelled : JobOutcome.Succeeded);
                    break;
                case 22:
                    Do(new PauseMigration(Id, Now, "op"));
                    break;
                case 23:
                    Do(new ResumeMigration(Id, Now, "op"));
                    break;
                case 24 when b % 5 == 0:
                    Do(new CancelMigration(Id, Now, "op"));
                    break;
                case 25:
                    Do(new RetryImages(Id, Now, "op"));
                    break;
                case 26:
                    Assert.Null(Do(Submit("version: 1")));
                    Assert.Equal(RefusalKind.Conflict, Do(Submit("version: 1 # other"))!.Kind);
                    break;
                case 27:
                    _journal.Crash();
                    break;
                case 28 when b % 9 == 0:
                    Do(new RefusePlan(Id, Now, ["no space"]));
                    break;
                default:
                    // An answer that comes late, about a start that is over, changes nothing.
                    MigrationState before = State;
                    Do(new EndImage(Id, Now, b % Count, 0, new ImageResult(JobOutcome.Failed, "late", "", 0, 0)));
                    Assert.Equal(StateText.Of(before), StateText.Of(State));
                    break;
            }
        }

        public void CheckInvariants()
        {
            Assert.Equal(State.Images.Where(image => image.Progress == ImageProgress.Running).Select(image => (long)image.Index), State.Running.Values());
            Assert.True(State.Refusals.Count > 0 ||
                State.Images.Where(image => image.Progress == ImageProgress.Waiting).Select(image => (long)image.Index).SequenceEqual(State.Waiting.Values()));
            Assert.All(_succeeded, index => Assert.Equal(ImageProgress.Succeeded, State.Images[index].Progress));
            Assert.True(!State.HasEnded || State.Running.IsEmpty);
            Assert.True(!State.HasEnded || State.Refusals.Count > 0 || State.Images.All(image => image.IsOver));
            foreach (MigratedImage image in State.Images.Where(image => image.Progress is ImageProgress.Running or ImageProgress.Succeeded && image.Base >= 0))
            {
                Assert.True(State.Images[image.Base].Progress is ImageProgress.Succeeded or ImageProgress.Skipped, "started before its base was there");
            }
        }

        public void DriveToTheEnd()
        {
            Do(new ResumeMigration(Id, Now, "op"));
            PlanAll();
            for (int i = 0; i < 50 && !State.HasEnded; i++)
            {
                Start(3);
                End(0, JobOutcome.Succeeded);
                CheckInvariants();
            }

            Assert.True(State.HasEnded);
            _journal.Crash();
            if (State.IsPlanned && State.CancelledBy.Length == 0 && State.Refusals.IsEmpty && State.Images.All(image => image.Progress is not (ImageProgress.Failed or ImageProgress.Cancelled)))
            {
                // Image 6 is refused by the plan itself.
                Assert.Equal(MigrationPhase.Failed, State.Phase);
                MigrationSummary summary = State.Summarize();
                Assert.Equal((6, 1, 1, 8), (summary.Succeeded, summary.Skipped, summary.Refused, summary.Images));
                Assert.Equal(60, summary.DoneBytes);
            }
        }

        private void PlanAll()
        {
            if (Do(new PlanImages(Id, Now, [.. Plan()])) is null)
            {
                Do(new CompletePlan(Id, Now));
            }
        }

        private void Start(int max)
        {
            MigrationState before = State;
            if (Do(new StartImages(Id, Now, max)) is null)
            {
                Assert.False(before.IsPaused || !before.IsPlanned || before.CancelledBy.Length > 0, "started where it must not");
                Assert.True(State.Running.Count <= Math.Max(max, before.Running.Count));
            }
        }

        private void End(int a, JobOutcome outcome)
        {
            if (State.Running.IsEmpty)
            {
                return;
            }

            int index = (int)State.Running.Values().ElementAt(a % (int)State.Running.Count);
            Assert.Null(Do(new EndImage(Id, Now, index, State.Images[index].Attempt, new ImageResult(outcome, outcome.ToString(), "", 10, 5))));
            if (outcome == JobOutcome.Succeeded)
            {
                Assert.True(_succeeded.Add(index));
            }
        }

        private SubmitMigration Submit(string manifest) => new(Id, Now, "west", manifest, "op");

        // 1 and 2 stand on 0, 3 on 2; 5 is there already, 6 cannot be read, 7 stands on 5.
        private static IEnumerable<MigratedImage> Plan() => Enumerable.Range(0, Count).Select(i => new MigratedImage
        {
            Index = i,
            Source = new ImageName("vm", $"{i}.vmdk"),
            Target = i == 6 ? null : new ImageName("kvm", $"{i}.qcow2"),
            AllocatedBytes = 10,
            Base = i switch { 1 or 2 => 0, 3 => 2, 7 => 5, _ => -1 },
            Progress = i switch { 5 => ImageProgress.Skipped, 6 => ImageProgress.Refused, _ => ImageProgress.Waiting },
        });

        private Refusal? Do(MigrationCommand command) => _journal.Take(MigrationRecord.Decide(State, command));
    }
}
