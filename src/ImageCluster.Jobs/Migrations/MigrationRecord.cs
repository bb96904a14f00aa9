using ImageCluster.Jobs.Execution;

namespace ImageCluster.Jobs.Migrations;

/// <summary>
/// The record of one migration. Pure, as <see cref="Images.ImageRecord"/> is. It starts a job for each image of the plan, a base before
/// what stands on it, and ends when every image is over.
/// <para>Invariants: an image is started only from waiting and ends only from running; what has succeeded is never started again.</para>
/// </summary>
public static class MigrationRecord
{
    public const int MaxImages = 1_000_000;

    public static Decision<MigrationEvent> Decide(MigrationState state, MigrationCommand command)
    {
        if (command is SubmitMigration submit)
        {
            return Submit(state, submit);
        }

        if (state.Id.Length == 0 || state.Id != command.MigrationId)
        {
            return Refuse(RefusalKind.Unknown, $"there is no migration {command.MigrationId}");
        }

        return command switch
        {
            PlanImages plan => Plan(state, plan),
            CompletePlan complete => IsOver(state) ?? AcceptAndAdvance(state, state.IsPlanned ? [] : [new PlanCompleted(complete.At)], complete.At),
            RefusePlan refuse => RefusePlan(state, refuse),
            StartImages start => Start(state, start),
            EndImage end => End(state, end),
            PauseMigration pause => IsOver(state) ?? Accept(state.IsPaused ? [] : [new MigrationPaused(pause.By, pause.At)]),
            ResumeMigration resume => IsOver(state) ?? Accept(state.IsPaused ? [new MigrationResumed(resume.By, resume.At)] : []),
            CancelMigration cancel => Cancel(state, cancel),
            RetryImages retry => Retry(state, retry),
            _ => throw new ArgumentOutOfRangeException(nameof(command), command.GetType().Name, "Not a command of a migration."),
        };
    }

    public static MigrationState Apply(MigrationState state, MigrationEvent e) => e switch
    {
        MigrationSubmitted submitted => state with
        {
            Id = submitted.MigrationId,
            Name = submitted.Name,
            Manifest = submitted.Manifest,
            SubmittedBy = submitted.By,
            SubmittedAt = submitted.At,
        },
        ImagesPlanned planned => state with
        {
            Images = state.Images.AddRange(planned.Images),
            Waiting = planned.Images.Where(image => image.Progress == ImageProgress.Waiting).Aggregate(state.Waiting, (set, image) => set.Add(image.Index)),
        },
        PlanCompleted => state with { IsPlanned = true },
        PlanRefused refused => state with { Refusals = refused.Reasons, Waiting = RangeSet.Empty },
        ImagesStarted started => Started(state, started),
        ImageEnded ended => Ended(state, ended),
        MigrationPaused => state with { IsPaused = true },
        MigrationResumed => state with { IsPaused = false },
        MigrationCancelled cancelled => state with { CancelledBy = cancelled.By, IsPaused = false },
        ImagesRetried retried => Retried(state, retried),
        MigrationEnded ended => state with { HasEnded = true, EndedAt = ended.At, IsPaused = false },
        _ => throw new ArgumentOutOfRangeException(nameof(e), e.GetType().Name, "Not an event of a migration."),
    };

    public static MigrationState Replay(IEnumerable<MigrationEvent> events) => events.Aggregate(MigrationState.New, Apply);

    private static Decision<MigrationEvent> Accept(IReadOnlyList<MigrationEvent> events) => new(events);

    private static Decision<MigrationEvent> Refuse(RefusalKind kind, string message) => new(new Refusal(kind, message));

    private static Decision<MigrationEvent>? IsOver(MigrationState state) =>
        state.HasEnded || state.CancelledBy.Length > 0 ? Refuse(RefusalKind.Conflict, $"migration {state.Id} is over") : null;

    private static Decision<MigrationEvent> Submit(MigrationState state, SubmitMigration submit)
    {
        if (state.Id.Length > 0)
        {
            return state.Id == submit.MigrationId && state.Manifest == submit.Manifest
                ? Accept([])
                : Refuse(RefusalKind.Conflict, $"migration {submit.MigrationId} was submitted before with another manifest; choose another id");
        }

        return submit.MigrationId.Length is 0 or > 100
            ? Refuse(RefusalKind.Invalid, "a migration's id has 1 to 100 characters")
            : Accept([new MigrationSubmitted(submit.MigrationId, submit.Name, submit.Manifest, submit.By, submit.At)]);
    }

    private static Decision<MigrationEvent> Plan(MigrationState state, PlanImages plan)
    {
        if (IsOver(state) is { } over)
        {
            return over;
        }

        // A keeper that was interrupted plans anew from the start: what is there already is passed over.
        List<MigratedImage> images = [.. plan.Images.SkipWhile(image => image.Index < state.Images.Count)];
        for (int i = 0; i < images.Count; i++)
        {
            MigratedImage image = images[i];
            bool startable = image.Progress is ImageProgress.Waiting;
            if (image.Index != state.Images.Count + i || image.Index >= MaxImages || image.Base >= image.Index || image.Base < -1 ||
                !(startable || image.Progress is ImageProgress.Skipped or ImageProgress.Refused) || (startable && image.Target is null))
            {
                return Refuse(RefusalKind.Invalid, $"migration {state.Id}: image {image.Index} ({image.Source}) is not planned as it must be");
            }
        }

        return images.Count == 0 ? Accept([])
            : state.IsPlanned ? Refuse(RefusalKind.Conflict, $"migration {state.Id} is planned already")
            : Accept([new ImagesPlanned([.. images])]);
    }

    private static Decision<MigrationEvent> RefusePlan(MigrationState state, RefusePlan refuse)
    {
        if (IsOver(state) is { } over)
        {
            return over;
        }

        return state.IsPlanned || refuse.Reasons.IsEmpty
            ? Refuse(RefusalKind.Conflict, $"migration {state.Id} is planned already")
            : Accept([new PlanRefused(refuse.Reasons, refuse.At), new MigrationEnded(refuse.At)]);
    }

    private static Decision<MigrationEvent> Start(MigrationState state, StartImages start)
    {
        if (IsOver(state) is { } over)
        {
            return over;
        }

        if (state.IsPaused || !state.IsPlanned)
        {
            return Refuse(state.IsPaused ? RefusalKind.Paused : RefusalKind.NotQuiet,
                $"migration {state.Id} is {(state.IsPaused ? "paused" : "still being planned")}");
        }

        RangeSet images = RangeSet.Empty;
        foreach (long index in state.Waiting.Values())
        {
            if (state.Running.Count + images.Count >= start.MaxRunning)
            {
                break;
            }

            images = HasBase(state, state.Images[(int)index]) ? images.Add(index) : images;
        }

        return Accept(images.IsEmpty ? [] : [new ImagesStarted(images, start.At)]);
    }

    // The target that an image's target stands on is there: converted now, or left out because it was there before.
    private static bool HasBase(MigrationState state, MigratedImage image) =>
        image.Base < 0 || state.Images[image.Base].Progress is ImageProgress.Succeeded or ImageProgress.Skipped;

    private static Decision<MigrationEvent> End(MigrationState state, EndImage end)
    {
        if (end.Index < 0 || end.Index >= state.Images.Count)
        {
            return Refuse(RefusalKind.Invalid, $"migration {state.Id} has no image {end.Index}");
        }

        MigratedImage image = state.Images[end.Index];
        return image.Attempt != end.Attempt || image.Progress != ImageProgress.Running
            ? end.Attempt <= image.Attempt ? Accept([]) : Refuse(RefusalKind.Stale, $"migration {state.Id} did not start image {end.Index} so often")
            : AcceptAndAdvance(state, [new ImageEnded(end.Index, end.Result, end.At)], end.At);
    }

    private static Decision<MigrationEvent> Cancel(MigrationState state, CancelMigration cancel)
    {
        if (state.HasEnded)
        {
            return state.CancelledBy.Length > 0 ? Accept([]) : Refuse(RefusalKind.Conflict, $"migration {state.Id} is over");
        }

        return state.CancelledBy.Length > 0
            ? Accept([])
            : AcceptAndAdvance(state, [new MigrationCancelled(cancel.By.Length == 0 ? "somebody" : cancel.By, cancel.At)], cancel.At);
    }

    private static Decision<MigrationEvent> Retry(MigrationState state, RetryImages retry)
    {
        if (!state.HasEnded && state.CancelledBy.Length > 0)
        {
            return Refuse(RefusalKind.NotQuiet, $"migration {state.Id}: its jobs are still stopping");
        }

        if (!state.Refusals.IsEmpty || !state.IsPlanned)
        {
            return Refuse(RefusalKind.Conflict, $"migration {state.Id} has no plan; submit it anew by another id");
        }

        RangeSet images = state.Images.Where(image => image.Progress is ImageProgress.Failed or ImageProgress.Cancelled)
            .Aggregate(RangeSet.Empty, (set, image) => set.Add(image.Index));
        return images.IsEmpty ? Accept([]) : AcceptAndAdvance(state, [new ImagesRetried(images, retry.By, retry.At)], retry.At);
    }

    // What follows by itself: images whose base failed fail too, those of a cancelled migration are cancelled, and when all are over so
    // is the migration.
    private static Decision<MigrationEvent> AcceptAndAdvance(MigrationState state, IReadOnlyList<MigrationEvent> events, Instant at)
    {
        var all = new List<MigrationEvent>(events);
        state = events.Aggregate(state, Apply);
        // An image that succeeds ends no other, which spares a look at all that wait.
        bool mayEndOthers = (state.IsPlanned || state.CancelledBy.Length > 0) && !events.All(e => e is ImageEnded { Result.Outcome: JobOutcome.Succeeded });
        foreach (long index in mayEndOthers ? state.Waiting.Values() : [])
        {
            // In the order of their numbers, so that a base's end is seen by all that stand on it.
            MigratedImage image = state.Images[(int)index];
            ImageResult? result = state.CancelledBy.Length > 0
                ? new ImageResult(JobOutcome.Cancelled, $"cancelled by {state.CancelledBy}", "", 0, 0)
                : image.Base >= 0 && state.Images[image.Base] is { IsOver: true } below && !HasBase(state, image)
                    ? new ImageResult(JobOutcome.Failed, $"its base {below.Source} was not converted", "", 0, 0)
                    : null;
            if (result is not null)
            {
                all.Add(new ImageEnded(image.Index, result, at));
                state = Apply(state, all[^1]);
            }
        }

        if ((state.IsPlanned || state.CancelledBy.Length > 0) && !state.HasEnded && state.Waiting.IsEmpty && state.Running.IsEmpty)
        {
            all.Add(new MigrationEnded(at));
        }

        return Accept(all);
    }

    private static MigrationState Started(MigrationState state, ImagesStarted started) => state with
    {
        Images = started.Images.Values().Aggregate(state.Images, (images, index) => images.SetItem((int)index, images[(int)index] with
        {
            Progress = ImageProgress.Running,
            Attempt = images[(int)index].Attempt + 1,
            StartedAt = started.At,
        })),
        Waiting = state.Waiting.Except(started.Images),
        Running = state.Running.Union(started.Images),
    };

    private static MigrationState Ended(MigrationState state, ImageEnded ended) => state with
    {
        Images = state.Images.SetItem(ended.Index, state.Images[ended.Index] with
        {
            Progress = ended.Result.Outcome switch
            {
                JobOutcome.Succeeded => ImageProgress.Succeeded,
                JobOutcome.Failed => ImageProgress.Failed,
                _ => ImageProgress.Cancelled,
            },
            Reason = ended.Result.Reason,
            Digest = ended.Result.Digest,
            BytesRead = ended.Result.BytesRead,
            BytesWritten = ended.Result.BytesWritten,
            EndedAt = ended.At,
        }),
        Waiting = state.Waiting.Remove(ended.Index),
        Running = state.Running.Remove(ended.Index),
    };

    private static MigrationState Retried(MigrationState state, ImagesRetried retried) => state with
    {
        Images = retried.Images.Values().Aggregate(state.Images, (images, index) =>
            images.SetItem((int)index, images[(int)index] with { Progress = ImageProgress.Waiting, Reason = "" })),
        Waiting = state.Waiting.Union(retried.Images),
        CancelledBy = "",
        HasEnded = false,
        EndedAt = default,
    };
}
