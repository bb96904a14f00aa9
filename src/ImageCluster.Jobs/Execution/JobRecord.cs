namespace ImageCluster.Jobs.Execution;

/// <summary>
/// The record of one job. Pure, as <see cref="Images.ImageRecord"/> is. A job goes through the steps of its plan; each step's shards
/// are given to workers as assignments, and the next step begins when all are done and nobody is at work any more.
/// <para>
/// Invariants: assignments' tokens only rise; a shard is pending, in one assignment, or done, never two of these; what is done stays
/// done until its step is over; a job ends only when no assignment is left.
/// </para>
/// </summary>
public static class JobRecord
{
    /// <summary>The longest duration of an assignment: a day.</summary>
    public static readonly TimeSpan MaxDuration = TimeSpan.FromDays(1);

    public static Decision<JobEvent> Decide(JobState state, JobCommand command)
    {
        if (command is SubmitJob submit)
        {
            return Submit(state, submit);
        }

        if (state.Spec is null || state.Id != command.JobId)
        {
            return Refuse(RefusalKind.Unknown, $"there is no job {command.JobId}");
        }

        return command switch
        {
            NoteUses note => state.Uses.SequenceEqual(note.Uses) ? Accept([]) : Accept([new UsesTaken(note.Uses, note.At)]),
            ProbeAgain probe => ProbeAgain(state, probe),
            PlanJob plan => Plan(state, plan),
            PauseJob pause => Pause(state, pause),
            ResumeJob resume => Accept(state.Paused ? [new JobResumed(resume.By, resume.At)] : []),
            CancelJob cancel => Stop(state, new JobEnd(JobOutcome.Cancelled, $"cancelled by {cancel.By}", cancel.At)),
            FailJob fail => Stop(state, new JobEnd(JobOutcome.Failed, fail.Reason, fail.At)),
            NoteReleased released => Released(state, released),
            _ => Sharding.Decide(state, command),
        };
    }

    public static JobState Apply(JobState state, JobEvent e) => e switch
    {
        JobSubmitted submitted => state with
        {
            Id = submitted.JobId,
            Spec = submitted.Spec,
            Settings = submitted.Settings,
            SubmittedAt = submitted.At,
            Stage = StageKind.Probe,
            StageShards = 1,
            Pending = RangeSet.Of(0, 1),
        },
        UsesTaken taken => state with { Uses = taken.Uses },
        UsesReleased => state with { Uses = [], IsClosed = true },
        JobPlanned planned => state with { Plan = planned.Plan },
        JobPaused paused => state with { Paused = true, PausedBy = paused.By },
        JobResumed => state with { Paused = false },
        JobStopping stopping => state with { End = stopping.End, Paused = false, Pending = RangeSet.Empty },
        JobEnded ended => state with
        {
            End = ended.End,
            HasEnded = true,
            Paused = false,
            Digest = ended.Digest,
            Copied = state.Copied.Clear(),
            Completed = state.Completed.Clear(),
        },
        _ => Sharding.Apply(state, e),
    };

    public static JobState Replay(IEnumerable<JobEvent> events) => events.Aggregate(JobState.New, Apply);

    internal static Decision<JobEvent> Accept(IReadOnlyList<JobEvent> events) => new(events);

    internal static Decision<JobEvent> Refuse(RefusalKind kind, string message) => new(new Refusal(kind, message));

    /// <summary>
    /// The events, and with them what they lead to: the next step where one is over, the end where all are or the job stops and nobody is
    /// at work any more.
    /// </summary>
    internal static Decision<JobEvent> AcceptAndAdvance(JobState state, IReadOnlyList<JobEvent> events, Instant at)
    {
        var all = new List<JobEvent>(events);
        state = events.Aggregate(state, Apply);
        while (Next(state, at) is { } next)
        {
            all.Add(next);
            state = Apply(state, next);
        }

        return Accept(all);
    }

    private static JobEvent? Next(JobState state, Instant at)
    {
        if (state.HasEnded || !state.Assignments.IsEmpty || !state.Pending.IsEmpty)
        {
            return null;
        }

        if (state.End is { } end)
        {
            return state.Stage != StageKind.CleanUp && state.Plan is { CleanUp: true }
                ? new StageEntered(-1, StageKind.CleanUp, 1, at)
                : new JobEnded(end with { At = at }, ShardDigests.Taken(state), state.FirstDifference);
        }

        if (state.Plan is not { } plan)
        {
            return null;
        }

        if (state.Stage == StageKind.Verify && ShardDigests.VerifyProblem(state) is { } problem)
        {
            return new JobStopping(new JobEnd(JobOutcome.Failed, problem, at));
        }

        int next = state.StageIndex + 1;
        return next < plan.Stages.Count
            ? new StageEntered(next, plan.Stages[next].Kind, plan.Stages[next].Shards, at)
            : new JobEnded(new JobEnd(JobOutcome.Succeeded, "", at), ShardDigests.Taken(state), state.FirstDifference);
    }

    private static Decision<JobEvent> Submit(JobState state, SubmitJob submit)
    {
        if (state.Spec is not null)
        {
            return state.Id == submit.JobId && state.Spec.SameAs(submit.Spec)
                ? Accept([])
                : Refuse(RefusalKind.Conflict, $"job {submit.JobId} was submitted before, to do something else");
        }

        string? problem = submit.JobId.Length is 0 or > 200 ? "a job's id has 1 to 200 characters" : submit.Settings.Problem ?? submit.Spec.Problem;
        return problem is null
            ? Accept([new JobSubmitted(submit.JobId, submit.Spec, submit.Settings, submit.At)])
            : Refuse(RefusalKind.Invalid, problem);
    }

    private static Decision<JobEvent> ProbeAgain(JobState state, ProbeAgain probe)
    {
        if (state.Plan is not null || state.End is not null || state.HasEnded)
        {
            return Refuse(RefusalKind.Conflict, $"job {state.Id} is planned already, or over");
        }

        return state.Assignments.IsEmpty
            ? Accept([new UsesTaken(probe.Uses, probe.At), new StageEntered(-1, StageKind.Probe, 1, probe.At)])
            : Refuse(RefusalKind.NotQuiet, $"job {state.Id}: its images are still being looked at");
    }

    private static Decision<JobEvent> Plan(JobState state, PlanJob plan)
    {
        if (state.End is not null || state.HasEnded)
        {
            return Refuse(RefusalKind.Conflict, $"job {state.Id} is over");
        }

        if (state.Plan is not null)
        {
            return state.Plan.SameAs(plan.Plan)
                ? Accept([])
                : Refuse(RefusalKind.Conflict, $"job {state.Id} is planned already");
        }

        if (!state.Assignments.IsEmpty)
        {
            return Refuse(RefusalKind.NotQuiet, $"job {state.Id}: its images are still being looked at");
        }

        if (plan.Plan.Problem is { } problem)
        {
            return Refuse(RefusalKind.Invalid, problem);
        }

        StagePlan first = plan.Plan.Stages[0];
        return Accept([new JobPlanned(plan.Plan, plan.At), new StageEntered(0, first.Kind, first.Shards, plan.At)]);
    }

    private static Decision<JobEvent> Pause(JobState state, PauseJob pause)
    {
        if (state.End is not null || state.HasEnded)
        {
            return Refuse(RefusalKind.Conflict, $"job {state.Id} is over");
        }

        return Accept(state.Paused ? [] : [new JobPaused(pause.By, pause.At)]);
    }

    private static Decision<JobEvent> Stop(JobState state, JobEnd end)
    {
        // Once it is over, or on the way there, it stays so: the first reason counts.
        return state.HasEnded && state.End!.Outcome == JobOutcome.Succeeded
            ? Refuse(RefusalKind.Conflict, $"job {state.Id} has succeeded already")
            : state.End is not null ? Accept([]) : AcceptAndAdvance(state, [new JobStopping(end)], end.At);
    }

    private static Decision<JobEvent> Released(JobState state, NoteReleased released)
    {
        if (!state.HasEnded)
        {
            return Refuse(RefusalKind.NotQuiet, $"job {state.Id} is not over");
        }

        return Accept(state.IsClosed ? [] : [new UsesReleased(released.At)]);
    }
}
