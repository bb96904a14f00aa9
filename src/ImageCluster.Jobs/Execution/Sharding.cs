using System.Collections.Immutable;

namespace ImageCluster.Jobs.Execution;

/// <summary>The part of <see cref="JobRecord"/> that is about shards and who works on them.</summary>
internal static class Sharding
{
    public static Decision<JobEvent> Decide(JobState state, JobCommand command) => command switch
    {
        StartShards start => Start(state, start),
        RenewAssignment renew => Renew(state, renew),
        CompleteShards complete => Complete(state, complete),
        FailShard fail => Fail(state, fail),
        HandBack back => state.Assignments.ContainsKey(back.Assignment)
            ? JobRecord.AcceptAndAdvance(state, [new AssignmentEnded(back.Assignment, Lost: false, back.At)], back.At)
            : JobRecord.Accept([]),
        ExpireAssignments expire => Expire(state, expire),
        RestartAssignments restart => JobRecord.Accept(state.Assignments.IsEmpty ? [] : [new AssignmentsRestarted(restart.At)]),
        _ => throw new ArgumentOutOfRangeException(nameof(command), command.GetType().Name, "Not a command of a job."),
    };

    public static JobState Apply(JobState state, JobEvent e) => e switch
    {
        StageEntered entered => Enter(state, entered),
        ShardsStarted started => state with
        {
            LastAssignment = started.Assignment,
            Pending = state.Pending.Except(started.Shards),
            Assignments = state.Assignments.Add(started.Assignment, new Assignment
            {
                Token = started.Assignment,
                Worker = started.Worker,
                Shards = started.Shards,
                StartedAt = started.At,
                Duration = started.Duration,
                Deadline = started.Deadline,
            }),
        },
        AssignmentRenewed renewed => state with
        {
            Assignments = state.Assignments.SetItem(renewed.Assignment, state.Assignments[renewed.Assignment] with { Deadline = renewed.Deadline }),
        },
        AssignmentsRestarted restarted => state with
        {
            Assignments = state.Assignments.ToImmutableSortedDictionary(pair => pair.Key,
                pair => pair.Value with { Deadline = restarted.At + pair.Value.Duration }),
        },
        ShardsCompleted completed => Completed(state, completed),
        ShardFailed failed => Failed(state, failed),
        AssignmentEnded ended => Ended(state, ended),
        _ => throw new ArgumentOutOfRangeException(nameof(e), e.GetType().Name, "Not an event of a job."),
    };

    private static Decision<JobEvent> Start(JobState state, StartShards start)
    {
        if (start.Duration < TimeSpan.FromMilliseconds(1) || start.Duration > JobRecord.MaxDuration || start.Count < 1 || start.Worker.Length == 0)
        {
            return JobRecord.Refuse(RefusalKind.Invalid, "an assignment needs a worker, one shard at least and a duration of a millisecond to a day");
        }

        if (state.Paused)
        {
            return JobRecord.Refuse(RefusalKind.Paused, $"job {state.Id} is paused");
        }

        Instant deadline = Instant.Min(start.At + start.Duration, start.UsableUntil);
        if (deadline <= start.At)
        {
            return JobRecord.Refuse(RefusalKind.InUse, $"job {state.Id} does not hold its images now");
        }

        long limit = state.Settings.MaxShards == 0 ? start.Count : Math.Min(start.Count, state.Settings.MaxShards - state.ShardsInWork);
        return limit > 0 && !state.Pending.IsEmpty
            ? JobRecord.Accept([new ShardsStarted(state.LastAssignment + 1, start.Worker, state.Pending.Lowest(limit), start.At, Instant.Whole(start.Duration), deadline)])
            : JobRecord.Refuse(RefusalKind.NothingToDo, $"job {state.Id} has nothing to hand out now");
    }

    private static Decision<JobEvent> Renew(JobState state, RenewAssignment renew)
    {
        if (Find(state, renew.Assignment, out Assignment? assignment) is { } refusal)
        {
            return new Decision<JobEvent>(refusal);
        }

        if (assignment!.Deadline <= renew.At)
        {
            return JobRecord.Refuse(RefusalKind.Stale, $"job {state.Id}: assignment {renew.Assignment} ran out at {assignment.Deadline}; stop working on it");
        }

        Instant deadline = Instant.Min(renew.At + assignment.Duration, renew.UsableUntil);
        bool worthIt = assignment.Deadline - renew.At < assignment.Duration / 2 && deadline > assignment.Deadline;
        return JobRecord.Accept(worthIt ? [new AssignmentRenewed(renew.Assignment, deadline)] : []);
    }

    private static Decision<JobEvent> Complete(JobState state, CompleteShards complete)
    {
        if (state.DoneAssignments.Contains(complete.Assignment))
        {
            return JobRecord.Accept([]);
        }

        if (Find(state, complete.Assignment, out Assignment? assignment) is { } refusal)
        {
            return new Decision<JobEvent>(refusal);
        }

        ImmutableList<ShardResult>.Builder results = ImmutableList.CreateBuilder<ShardResult>();
        RangeSet open = assignment!.Shards;
        foreach (ShardResult result in complete.Results)
        {
            if (open.Contains(result.Shard))
            {
                if (ResultProblem(state, result) is { } problem)
                {
                    return JobRecord.Refuse(RefusalKind.Invalid, $"job {state.Id}: the result of shard {result.Shard} {problem}");
                }

                open = open.Remove(result.Shard);
                results.Add(result);
            }
            else if (state.Completed.GetValueOrDefault(result.Shard)?.Assignment != complete.Assignment && results.All(done => done.Shard != result.Shard))
            {
                return JobRecord.Refuse(RefusalKind.Invalid, $"job {state.Id}: shard {result.Shard} is not in assignment {complete.Assignment}");
            }
        }

        return results.Count == 0
            ? JobRecord.Accept([])
            : JobRecord.AcceptAndAdvance(state, [new ShardsCompleted(complete.Assignment, results.ToImmutable())], complete.At);
    }

    private static string? ResultProblem(JobState state, ShardResult result)
    {
        if (result.BytesRead < 0 || result.BytesWritten < 0)
        {
            return "has a negative size";
        }

        if (result.Manifest is { } manifest && manifest.Shard != result.Shard)
        {
            return $"has the manifest of shard {manifest.Shard}";
        }

        if (state.Plan is null)
        {
            return null;
        }

        if (result.FirstDifference is { } offset && (state.Stage is not (StageKind.Compare or StageKind.Verify) ||
            offset < state.Plan.RangeOf(result.Shard).Start || offset >= Math.Max(1, state.Plan.RangeOf(result.Shard).End)))
        {
            return $"has a difference at {offset:#,0}, which is not in it";
        }

        return ShardDigests.Problem(state.Plan, state.Stage, result);
    }

    private static Decision<JobEvent> Fail(JobState state, FailShard fail)
    {
        if (Find(state, fail.Assignment, out Assignment? assignment) is { } refusal)
        {
            return new Decision<JobEvent>(refusal);
        }

        if (!assignment!.Shards.Contains(fail.Shard))
        {
            return JobRecord.Accept([]);
        }

        var failed = new ShardFailed(fail.Assignment, fail.Shard, fail.Reason, fail.Permanent, fail.At);
        ShardTrouble trouble = JobRecord.Apply(state, failed).Troubles[fail.Shard];
        bool givesUp = fail.Permanent || trouble.Failures >= state.Settings.MaxFailures;
        return JobRecord.AcceptAndAdvance(state, givesUp ? [failed, .. GivingUp(state, fail.Shard, fail.Reason, fail.At)] : [failed], fail.At);
    }

    private static Decision<JobEvent> Expire(JobState state, ExpireAssignments expire)
    {
        var events = new List<JobEvent>();
        foreach (Assignment assignment in state.Assignments.Values.Where(assignment => assignment.Deadline <= expire.At))
        {
            events.Add(new AssignmentEnded(assignment.Token, Lost: true, expire.At));
        }

        JobState after = events.Aggregate(state, JobRecord.Apply);
        foreach ((long shard, ShardTrouble trouble) in after.Troubles)
        {
            if (trouble.Losses >= state.Settings.MaxLosses && trouble.Losses > (state.Troubles.GetValueOrDefault(shard)?.Losses ?? 0))
            {
                events.AddRange(GivingUp(state, shard, $"its worker was lost {trouble.Losses} times", expire.At));
                break;
            }
        }

        return JobRecord.AcceptAndAdvance(state, events, expire.At);
    }

    // A job that is ending already has its reason; what cannot be cleaned up is added to it.
    private static IReadOnlyList<JobEvent> GivingUp(JobState state, long shard, string reason, Instant at)
    {
        if (state.End is not null)
        {
            return state.Stage == StageKind.CleanUp
                ? [new JobStopping(state.End with { Reason = $"{state.End.Reason} (and what it had begun could not be removed: {reason})" })]
                : [];
        }

        string where = state.StageShards > 1 ? $"shard {shard} of {state.StageShards:#,0}: " : "";
        return [new JobStopping(new JobEnd(JobOutcome.Failed, $"{Describe(state.Stage)} failed: {where}{reason}", at))];
    }

    private static string Describe(StageKind stage) => stage switch
    {
        StageKind.Probe => "looking at the images",
        StageKind.Create => "creating the target",
        StageKind.Copy => "copying",
        StageKind.Finish => "finishing the target",
        StageKind.Verify => "verifying the target",
        StageKind.Install => "giving the target its name",
        StageKind.Compare => "comparing",
        StageKind.Prepare => "making the image ready",
        StageKind.Merge => "merging",
        StageKind.Empty => "emptying the top",
        StageKind.Relink => "changing the backing file",
        StageKind.Change => "changing the image",
        StageKind.Gather => "looking for the images",
        _ => "cleaning up",
    };

    private static Refusal? Find(JobState state, long token, out Assignment? assignment) =>
        state.Assignments.TryGetValue(token, out assignment)
            ? null
            : new Refusal(RefusalKind.Stale, token > state.LastAssignment || token <= 0
                ? $"job {state.Id}: assignment {token} was never given"
                : $"job {state.Id}: assignment {token} has ended; stop working on it");

    private static JobState Enter(JobState state, StageEntered entered)
    {
        bool copied = state.Stage is StageKind.Copy or StageKind.Merge && state.End is null;
        return state with
        {
            Stage = entered.Kind,
            StageIndex = entered.Index,
            StageShards = entered.Shards,
            Pending = RangeSet.Of(0, entered.Shards),
            Troubles = state.Troubles.Clear(),
            Digest = ShardDigests.Taken(state),
            Copied = copied ? state.Completed : state.Stage == StageKind.Finish ? state.Copied.Clear() : state.Copied,
            Completed = state.Completed.Clear(),
        };
    }

    private static JobState Completed(JobState state, ShardsCompleted completed)
    {
        Assignment assignment = state.Assignments[completed.Assignment];
        RangeSet open = assignment.Shards;
        ImmutableSortedDictionary<long, CompletedShard>.Builder done = state.Completed.ToBuilder();
        foreach (ShardResult result in completed.Results)
        {
            open = open.Remove(result.Shard);
            done[result.Shard] = new CompletedShard(completed.Assignment, result);
            state = state with
            {
                BytesRead = state.BytesRead + result.BytesRead,
                BytesWritten = state.BytesWritten + result.BytesWritten,
            };
            if (result.FirstDifference is { } offset && offset <= (state.FirstDifference ?? offset))
            {
                state = state with { FirstDifference = offset, Finding = result.Detail };
            }

            state = state.Stage switch
            {
                StageKind.Probe => state with { Probed = result.Detail },
                StageKind.Create or StageKind.Prepare => state with { Layout = result.Detail },
                StageKind.Finish => state with { FinishedFile = result.Detail },
                _ => state,
            };
        }

        return state with
        {
            Completed = done.ToImmutable(),
            Pending = state.Pending.Remove(state.NeededShards, state.StageShards),
            Assignments = open.IsEmpty
                ? state.Assignments.Remove(completed.Assignment)
                : state.Assignments.SetItem(completed.Assignment, assignment with { Shards = open }),
            DoneAssignments = open.IsEmpty ? state.DoneAssignments.Add(completed.Assignment) : state.DoneAssignments,
        };
    }

    private static JobState Failed(JobState state, ShardFailed failed)
    {
        Assignment assignment = state.Assignments[failed.Assignment];
        RangeSet open = assignment.Shards.Remove(failed.Shard);
        ShardTrouble trouble = state.Troubles.GetValueOrDefault(failed.Shard) ?? new ShardTrouble(0, 0, "");
        return GiveOutAgain(state, RangeSet.Of(failed.Shard, failed.Shard + 1)) with
        {
            Assignments = open.IsEmpty
                ? state.Assignments.Remove(failed.Assignment)
                : state.Assignments.SetItem(failed.Assignment, assignment with { Shards = open }),
            Troubles = state.Troubles.SetItem(failed.Shard, trouble with { Failures = trouble.Failures + 1, Reason = failed.Reason }),
        };
    }

    private static JobState Ended(JobState state, AssignmentEnded ended)
    {
        Assignment assignment = state.Assignments[ended.Assignment];
        ImmutableSortedDictionary<long, ShardTrouble> troubles = state.Troubles;
        foreach (long shard in ended.Lost ? assignment.Shards.Values() : [])
        {
            ShardTrouble trouble = troubles.GetValueOrDefault(shard) ?? new ShardTrouble(0, 0, "");
            troubles = troubles.SetItem(shard, trouble with { Losses = trouble.Losses + 1 });
        }

        return GiveOutAgain(state, assignment.Shards) with { Assignments = state.Assignments.Remove(ended.Assignment), Troubles = troubles };
    }

    // What a stopping job, or a comparison that has found its difference, has no use for is not.
    private static JobState GiveOutAgain(JobState state, RangeSet shards) => state.End is not null && state.Stage != StageKind.CleanUp
        ? state
        : state with { Pending = state.Pending.Union(shards).Remove(state.NeededShards, state.StageShards) };
}
