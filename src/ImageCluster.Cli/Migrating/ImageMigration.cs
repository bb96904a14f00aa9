using System.Collections.Immutable;
using ImageCluster.Cli.Journal;
using ImageCluster.Cli.Migrating.Converting;
using ImageCluster.Cli.Progress;
using ImageCluster.Imaging;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Plans;
using ImageCluster.Work;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Native;
using ImageCluster.Work.Targets;

namespace ImageCluster.Cli.Migrating;

/// <summary>
/// Brings one image from its source to its final name: creates the target beside its final place, copies, finishes, verifies, installs; and goes
/// on where an earlier run was stopped. The source is held open, under QEMU's locks, from the first byte to the end.
/// </summary>
internal sealed class ImageMigration(MigrationContext context, ImageProgress progress, FoundSource found)
{
    private readonly PlannedImage _plan = progress.Plan;
    private readonly TargetPlace _place = PlaceOf(context, progress.Plan);
    private JobLedger? _ledger;

    /// <summary>Does the work. Failures are in the result; what is thrown ends the whole run.</summary>
    /// <exception cref="OperationCanceledException">Stopped; the next run goes on.</exception>
    /// <exception cref="CliException">The journal failed.</exception>
    public ImageOutcome Run(CancellationToken cancel)
    {
        using TargetPlace disposed = _place;
        try
        {
            context.Board.Enter(progress, ImageStage.Converting);
            using OpenedSource source = context.Inspector.Open(found);
            using var work = new TargetWork(context, progress, Spec(), source, _place, cancel);
            JobLedger ledger = Begin(source, work);
            while (ledger.Job is { HasEnded: false } job)
            {
                cancel.ThrowIfCancellationRequested();
                Step(job.Stage, ledger, work, source);
            }

            JobEnd end = ledger.Job.End!;
            return end.Outcome == JobOutcome.Succeeded
                ? new ImageOutcome(null, ledger.Job)
                : GiveUp(end.Reason);
        }
        catch (SourceChangedException e)
        {
            return GiveUp(e.Message);
        }
        catch (ImageException e) when (IsPassing(e))
        {
            // What was done is kept: the next run goes on from there.
            string kept = _ledger is not null && _place.UnfinishedPath is { } where ? $" What is done is kept in {where}." : "";
            return new ImageOutcome(Line(e) + kept, _ledger?.Job);
        }
        catch (ImageException e)
        {
            return GiveUp(Line(e));
        }
    }

    // Trouble of the surroundings, not of the image: trying again can succeed.
    private static bool IsPassing(ImageException e) =>
        e.Kind is ImageErrorKind.Io or ImageErrorKind.NoSpace or ImageErrorKind.Locked or ImageErrorKind.NotFound or ImageErrorKind.Exists;

    private void Step(StageKind stage, JobLedger ledger, TargetWork work, OpenedSource source)
    {
        switch (stage)
        {
            case StageKind.Copy:
                context.Board.Enter(progress, ImageStage.Converting);
                work.Copy(ledger);
                break;
            case StageKind.Finish:
                work.Finish(ledger);
                break;
            case StageKind.Verify:
                context.Board.Enter(progress, ImageStage.Verifying);
                if (work.Verify(ledger) is { } offset)
                {
                    source.Watch.RequireUnchanged();
                    ledger.Failed($"verification failed: the target differs from its source at guest offset {offset:#,0}");
                }

                break;
            case StageKind.Install:
                context.Board.Enter(progress, ImageStage.Publishing);
                Install(ledger, source);
                break;
            default:
                throw new InvalidOperationException($"Job {ledger.JobId} is at step {stage}, which a local run does not plan.");
        }
    }

    private JobLedger Begin(OpenedSource source, TargetWork work)
    {
        if (context.Journal.LatestJob(_plan.Source) is { HasEnded: false } earlier)
        {
            JobLedger resumed = _ledger = JobLedger.Resume(context.Journal, earlier, context.Worker);
            if (WhyNotGoOn(earlier, resumed, source) is not { } reason)
            {
                work.MeasureResumed(earlier);
                return resumed;
            }

            resumed.Failed(reason);
            if (earlier.Plan is not null)
            {
                context.Board.Note($"{progress.Label}: {reason}; converting it from the start");
            }
        }

        JobLedger ledger = _ledger = JobLedger.Submit(context.Journal, Spec(), context.Manifest.Name, context.Worker);
        work.Create(ledger);
        return ledger;
    }

    private string? WhyNotGoOn(JobState job, JobLedger ledger, OpenedSource source)
    {
        if (job.Plan is null)
        {
            return "stopped before it began";
        }

        if (!IsSame(Spec(), (ConvertSpec)job.Spec!))
        {
            return "the migration asks for something else than in the last run";
        }

        if (context.Journal.SourceFingerprint(ledger.JobId) != source.Watch.Fingerprint)
        {
            return "the source has changed since the last run";
        }

        if (job is { Stage: StageKind.Copy, Completed.IsEmpty: true })
        {
            // Nothing is done yet, so copying begins with a new file; killed while that was made there may be none.
            return null;
        }

        bool isThere = _place.HasUnfinished || (job.Stage == StageKind.Install && IsInstalled(ledger));
        return isThere ? null : "the unfinished target of the last run is gone";
    }

    private bool IsInstalled(JobLedger ledger) =>
        TargetStanding.IdentityOf(_place.FinalPath, context.Roots) is { } identity && identity == context.Journal.TargetIdentity(ledger.JobId);

    private void Install(JobLedger ledger, OpenedSource source)
    {
        Dictionary<string, string> notes = [];
        if (_place.Identity is { } staged)
        {
            source.Watch.RequireUnchanged();
            progress.TargetBytes = _place.AllocatedBytes;
            notes[ledger.NoteKey(MigrationJournal.TargetNote)] = staged;
        }

        long assignment = ledger.Start(notes);
        _place.Publish(_plan.Replaces);
        progress.TargetBytes = Math.Max(progress.TargetBytes, FileStamp.Of(_place.FinalPath)?.AllocatedBytes ?? 0);
        progress.TargetBytes = progress.TargetBytes > 0 ? progress.TargetBytes : ledger.Job.BytesWritten;
        ledger.Installed(assignment);
    }

    // Of an unfinished target people know the final name.
    private string Line(ImageException e) => _place is StagingArea staging
        ? ErrorText.Of(e, found.Path).Replace(staging.DirectoryPath, staging.FinalDirectory, StringComparison.Ordinal)
        : ErrorText.Of(e, found.Path);

    // What this run has begun is thrown away; where it has begun nothing, what an earlier run left stays as it is.
    private ImageOutcome GiveUp(string reason)
    {
        if (_ledger is null)
        {
            return new ImageOutcome(reason, null);
        }

        _ledger.Failed(reason);
        try
        {
            _place.Remove();
        }
        catch (ImageException e)
        {
            reason += $" ({ErrorText.Of(e)})";
        }

        return new ImageOutcome(reason, _ledger.Job);
    }

    // A job that is gone on with knows its objects by what an earlier run noted.
    private static TargetPlace PlaceOf(MigrationContext context, PlannedImage plan)
    {
        string? noted = context.Journal.LatestJob(plan.Source) is { HasEnded: false } job ? context.Journal.TargetIdentity(job.Id) : null;
        string path = context.Roots.PathOf(plan.Target!);
        return TargetPlace.Of(context.Roots, path, context.Manifest.Name, plan.Replaces, noted ?? Guid.NewGuid().ToString("N"));
    }

    // Formats and create options are the journal's to compare.
    private static bool IsSame(ConvertSpec a, ConvertSpec b) =>
        a.Target == b.Target && a.SourceFormat == b.SourceFormat && a.Backing == b.Backing && a.Verify == b.Verify && a.TakesDigest == b.TakesDigest &&
        a.SecretOf(a.Target) == b.SecretOf(b.Target);

    private ConvertSpec Spec()
    {
        TargetDefinition target = context.Manifest.Target;
        return new ConvertSpec
        {
            Source = _plan.Source,
            SourceFormat = found.Format ?? "",
            Target = _plan.Target!,
            TargetFormat = target.Format,
            Options = target.Options.ToImmutableSortedDictionary(StringComparer.Ordinal),
            Compress = target.Compress,
            Backing = _plan.BackingTarget,
            BackingFormat = _plan.BackingTarget is null ? "" : target.Format,
            Verify = context.Manifest.Verify,
            TakesDigest = context.Manifest.TakesDigest,
            Secrets = Secrets(),
        };
    }

    private ImmutableSortedDictionary<ImageName, string> Secrets()
    {
        var secrets = new Dictionary<ImageName, string>();
        if (found.Secret.Length > 0)
        {
            secrets[_plan.Source] = found.Secret;
        }

        if (context.Manifest.Target.Secret is { } target)
        {
            secrets[_plan.Target!] = target;
        }

        return secrets.ToImmutableSortedDictionary();
    }
}
