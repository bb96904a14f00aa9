using System.Collections.Immutable;
using System.Globalization;
using CsCheck;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Jobs.Tests.Execution;

/// <summary>
/// Any sequence of commands, crashes and passing time, with workers that count their leases by themselves; then the job is driven to
/// its end.
/// </summary>
public class JobRecordProperties
{
    [Fact]
    public void Shards_are_done_once_by_one_worker_at_a_time_and_the_job_ends_as_it_should() =>
        Gen.Select(Gen.Select(Gen.Int[0, 39], Gen.Int[0, 1000], Gen.Int[0, 1000]).Array[0, 120], Gen.Int[0, 4]).Sample((steps, sort) =>
        {
            var world = new World(sort);
            foreach ((int step, int a, int b) in steps)
            {
                world.Step(step, a, b);
                world.CheckInvariants();
            }

            world.DriveToTheEnd();
        }, iter: 500);

    private sealed class World
    {
        private const string Id = "m.0.1";
        private const long ShardLength = 4L * GuestDigest.LeafLength;

        private readonly JobPlan _plan;

        /// <summary>By assignment: until when, in true time, its worker works on it, and at which step it was given.</summary>
        private readonly Dictionary<long, (RangeSet Shards, long Until, StageKind Stage)> _workers = [];

        private readonly HashSet<(StageKind Stage, long Shard)> _done = [];
        private readonly long? _difference;
        private readonly bool _merges;
        private long _trueTime = 1_000_000;
        private long _clock;
        private long _lastToken;
        private bool _stopped;

        public World(int sort)
        {
            long size = ShardLength * 7 - 12345;
            _plan = new JobPlan
            {
                VirtualSize = size,
                ShardLength = ShardLength,
                CleanUp = sort != 3,
                Stages = sort == 3
                    ? [new StagePlan(StageKind.Compare, 7)]
                    : sort == 4
                    ? [new StagePlan(StageKind.Prepare, 1), new StagePlan(StageKind.Merge, 7), new StagePlan(StageKind.Finish, 1), new StagePlan(StageKind.Relink, 1)]
                    : [new StagePlan(StageKind.Create, 1), new StagePlan(StageKind.Copy, 7), new StagePlan(StageKind.Finish, 1), new StagePlan(StageKind.Verify, 7),
                        new StagePlan(StageKind.Install, 1)],
            };
            _difference = sort == 3 ? 2 * ShardLength + 77 : null;
            _merges = sort == 4;
            Assert.Null(Do(new SubmitJob(Id, Now, Spec, new JobSettings { MaxShards = sort == 1 ? 3 : 0, MaxFailures = 4, MaxLosses = 5 })));
        }

        public Journal<JobState, JobEvent> Journal { get; } = new(JobState.New, JobRecord.Apply);

        private JobState State => Journal.State;

        private Instant Now => new(_trueTime + _clock);

        private static ConvertSpec Spec => new()
        {
            Source = new ImageName("vmware", "a.vmdk"),
            Target = new ImageName("kvm", "a.qcow2"),
            TargetFormat = "qcow2",
            Options = ImmutableSortedDictionary<string, string>.Empty.Add("cluster_size", "64k"),
        };

        public void Step(int step, int a, int b)
        {
            switch (step)
            {
                case 0 or 1:
                    Do(new PlanJob(Id, Now, _plan));
                    break;
                case < 12:
                    Start($"worker-{a % 3}", 1 + b % 4, 20 + a % 100);
                    break;
                case < 16:
                    Renew(Token(a), b);
                    break;
                case < 28:
                    Complete(Token(a), b);
                    break;
                case 28:
                    Fail(Token(a), b);
                    break;
                case 29 or 30:
                    Do(new HandBack(Id, Now, Stopped(Token(a))));
                    break;
                case 31 or 32:
                    Do(new ExpireAssignments(Id, Now));
                    break;
                case 33:
                    Do(a % 3 == 0 ? new PauseJob(Id, Now, "op") : new ResumeJob(Id, Now, "op"));
                    break;
                case 34 when b % 8 == 0:
                    _stopped |= Do(a % 2 == 0 ? new CancelJob(Id, Now, "op") : new FailJob(Id, Now, "no worker reaches root 'kvm'")) is null;
                    break;
                case 35:
                    Crash(b);
                    break;
                case 36:
                    Do(new NoteReleased(Id, Now));
                    break;
                default:
                    _trueTime += a % 40;
                    break;
            }
        }

        public void CheckInvariants()
        {
            JobState state = State;
            RangeSet inWork = RangeSet.Empty;
            foreach (Assignment assignment in state.Assignments.Values)
            {
                Assert.False(assignment.Shards.IsEmpty);
                Assert.True(assignment.Shards.Except(inWork).Equals(assignment.Shards), "a shard in two assignments");
                inWork = inWork.Union(assignment.Shards);
            }

            RangeSet completed = state.Completed.Keys.Aggregate(RangeSet.Empty, (set, shard) => set.Add(shard));
            Assert.True(state.Pending.Except(inWork).Except(completed).Equals(state.Pending), "a shard that waits is in work or done");
            Assert.True(inWork.Except(completed).Equals(inWork), "a shard that is done is in work");
            if (state.End is null && state.FirstDifference is null && !state.HasEnded)
            {
                Assert.Equal(state.StageShards, state.Pending.Count + inWork.Count + completed.Count);
            }

            // In the world: nobody works on a shard that another works on, none at an earlier step, nobody once it is over.
            (RangeSet Shards, long Until, StageKind Stage)[] live = [.. _workers.Values.Where(worker => worker.Until > _trueTime && !worker.Shards.IsEmpty)];
            Assert.All(live, worker => Assert.Equal(state.Stage, worker.Stage));
            Assert.Equal(live.Sum(worker => worker.Shards.Count), live.Aggregate(RangeSet.Empty, (set, worker) => set.Union(worker.Shards)).Count);
            Assert.True(!state.HasEnded || live.Length == 0, "over, and somebody is at work");
            // Whoever finishes what was merged hears of all of it, and of where it is.
            Assert.True(!_merges || state.Stage != StageKind.Finish || (state.Copied.Count == 7 && state.Layout == nameof(StageKind.Prepare)));
            Assert.True(state.LastAssignment >= _lastToken);
            _lastToken = state.LastAssignment;
            Assert.True(state.Settings.MaxShards == 0 || state.ShardsInWork <= state.Settings.MaxShards);
            Assert.True(!state.HasEnded || state.End!.Outcome == JobOutcome.Succeeded == !_stopped, "ended otherwise than it was told");
        }

        public void DriveToTheEnd()
        {
            Do(new ResumeJob(Id, Now, "op"));
            Do(new PlanJob(Id, Now, _plan));
            for (int i = 0; i < 200 && !State.HasEnded; i++)
            {
                _trueTime += 1000;
                Do(new ExpireAssignments(Id, Now));
                Do(new PlanJob(Id, Now, _plan));
                Start("worker-9", 5, 500);
                if (State.Assignments.Count > 0)
                {
                    Complete(State.Assignments.Keys.First(), 1);
                    Stopped(State.LastAssignment);
                    Do(new HandBack(Id, Now, State.LastAssignment));
                }

                CheckInvariants();
            }

            Assert.True(State.HasEnded);
            Assert.Empty(State.Assignments);
            Assert.Null(Do(new NoteReleased(Id, Now)));
            Assert.True(State.IsClosed);
            Journal.Crash();
            if (!_stopped)
            {
                Assert.Equal(JobOutcome.Succeeded, State.End!.Outcome);
                Assert.Equal(_difference, State.FirstDifference);
                Assert.Equal(_difference is null && !_merges ? Digest().ToString() : "", State.Digest);
            }
        }

        private void Start(string worker, int count, int duration)
        {
            Instant usable = Now + TimeSpan.FromMilliseconds(10 + (duration % 3 == 0 ? duration / 2 : duration * 2));
            Decision<JobEvent> decision = JobRecord.Decide(State, new StartShards(Id, Now, worker, count, TimeSpan.FromMilliseconds(duration), usable));
            Assert.True(!State.Paused || decision.Refusal is not null, "started while paused");
            Assert.True(State.End is null || State.Stage == StageKind.CleanUp || decision.Refusal is not null, "started while stopping");
            Journal.Take(decision);
            foreach (ShardsStarted started in decision.Events.OfType<ShardsStarted>())
            {
                Assert.True(started.Deadline <= usable);
                Assert.True(State.FirstDifference is not { } offset || started.Shards.Values().Max() <= offset / ShardLength, "work of no use");
                Assert.DoesNotContain(started.Shards.Values(), shard => _done.Contains((State.Stage, shard)));
                _workers.Add(started.Assignment, (started.Shards, _trueTime + (long)(started.Deadline - Now).TotalMilliseconds, State.Stage));
            }
        }

        private void Renew(long token, int b)
        {
            if (Do(new RenewAssignment(Id, Now, token, Now + TimeSpan.FromMilliseconds(b % 200))) is null)
            {
                _workers[token] = _workers[token] with { Until = _trueTime + (long)(State.Assignments[token].Deadline - Now).TotalMilliseconds };
            }
        }

        private void Complete(long token, int b)
        {
            RangeSet mine = State.Assignments.TryGetValue(token, out Assignment? assignment) ? assignment.Shards : RangeSet.Of(b % 7, b % 7 + 1);
            var command = new CompleteShards(Id, Now, token, [.. mine.Lowest(1 + b % 3).Values().Select(Result)]);
            (JobState before, StageKind stage) = (State, State.Stage);
            if (Do(command) is not null)
            {
                Assert.True(assignment is null);
                return;
            }

            if (assignment is null)
            {
                // It had told so before, and the answer was lost.
                Assert.Equal(StateText.Of(before), StateText.Of(State));
                return;
            }

            foreach (ShardResult result in command.Results)
            {
                Assert.True(State.End is not null || _done.Add((stage, result.Shard)), "done twice");
                _workers[token] = _workers[token] with { Shards = _workers[token].Shards.Remove(result.Shard) };
            }

            JobState after = State;
            Assert.Null(Do(command));
            Assert.Equal(StateText.Of(after), StateText.Of(State));
        }

        private void Fail(long token, int b)
        {
            if (State.Assignments.TryGetValue(token, out Assignment? assignment))
            {
                long shard = assignment.Shards.Values().ElementAt(b % (int)assignment.Shards.Count);
                _workers[token] = _workers[token] with { Shards = _workers[token].Shards.Remove(shard) };
                Assert.Null(Do(new FailShard(Id, Now, token, shard, "Input/output error", b % 50 == 0)));
                _stopped |= State.End is { Outcome: JobOutcome.Failed };
            }
        }

        private void Crash(int jump)
        {
            Journal.Crash();
            _clock += (jump % 5) switch { 0 => -40, 1 => 40, 2 => 1000, _ => 0 };
            Do(new RestartAssignments(Id, Now));
        }

        private long Stopped(long token)
        {
            _workers.Remove(token);
            return token;
        }

        private long Token(int a) => a % 9 == 0 || State.Assignments.IsEmpty ? a % 12 : State.Assignments.Keys.ElementAt(a % State.Assignments.Count);

        private Refusal? Do(JobCommand command)
        {
            Refusal? refusal = Journal.Take(JobRecord.Decide(State, command));
            // Losing the same shard too often, or failing it, stops the job.
            _stopped |= State.End is { Outcome: not JobOutcome.Succeeded };
            return refusal;
        }

        private ShardResult Result(long shard) => State.Stage switch
        {
            StageKind.Copy => new ShardResult
            {
                Shard = shard,
                Manifest = new ShardManifest(shard, [4096 * shard], [new RoomExtent(65536 * shard, 65536)], 65536),
                Digest = [.. Shard(shard).Close()],
                BytesRead = 100 + shard,
                BytesWritten = 50,
            },
            StageKind.Merge => new ShardResult { Shard = shard, Manifest = new ShardManifest(shard, [0, 4096 * shard], [new RoomExtent(65536 * shard, 65536)], 65536) },
            StageKind.Verify => new ShardResult { Shard = shard, Digest = [.. Shard(shard).Close()] },
            StageKind.Compare => new ShardResult { Shard = shard, FirstDifference = shard is 2 or 5 ? shard * ShardLength + 77 : null },
            _ => new ShardResult { Shard = shard, Detail = State.Stage.ToString() },
        };

        private GuestDigestShard Shard(long shard)
        {
            Range64 range = _plan.RangeOf(shard);
            var digest = new GuestDigestShard(range.Start, range.Length, _plan.VirtualSize);
            digest.SetLeaf(range.Start, GuestHash.Of(System.Text.Encoding.ASCII.GetBytes(shard.ToString(CultureInfo.InvariantCulture))));
            return digest;
        }

        private GuestDigest Digest()
        {
            var tree = new GuestDigestTree(_plan.VirtualSize);
            for (long shard = 0; shard < 7; shard++)
            {
                tree.Add(Shard(shard).Close());
            }

            return tree.Finish();
        }
    }
}
