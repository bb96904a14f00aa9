using System.Collections.Immutable;
using ImageCluster.Cli.Journal;
using ImageCluster.Cli.Progress;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Migrations;
using ImageCluster.Work.Gathering;
using ImageProgress = ImageCluster.Cli.Progress.ImageProgress;
using RecordedProgress = ImageCluster.Jobs.Migrations.ImageProgress;

namespace ImageCluster.Cli.Migrating;

/// <summary>
/// Runs the images of a plan, some at a time: bases before what stands on them, in the plan's order otherwise. One image's failure is that image's;
/// only a journal that cannot be written ends the run.
/// </summary>
internal sealed class MigrationRunner
{
    private const int PlanChunk = 1000;

    private readonly MigrationContext _context;
    private readonly GatheredPlan _gathered;
    private readonly IReadOnlyList<ImageProgress> _images;
    private readonly string _runId;
    private readonly SortedDictionary<string, SemaphoreSlim> _rootSlots = new(StringComparer.Ordinal);
    private readonly object _gate = new();
    private readonly List<Exception> _defects = [];
    private int _running;
    private Exception? _fatal;

    /// <param name="context">What images share.</param>
    /// <param name="gathered">The plan.</param>
    /// <param name="images">The plan's images, in its order.</param>
    public MigrationRunner(MigrationContext context, GatheredPlan gathered, IReadOnlyList<ImageProgress> images)
    {
        _context = context;
        _gathered = gathered;
        _images = images;
        _runId = $"run-{context.Journal.State.Runs.Count + 1}";
        foreach (string root in context.Manifest.Limits.Roots.Keys)
        {
            if (context.ImagesOn(root) is { } slots)
            {
                _rootSlots.Add(root, new SemaphoreSlim(slots));
            }
        }
    }

    /// <summary>Exceptions that should not have been: defects, each of which failed its image.</summary>
    public IReadOnlyList<Exception> Defects => _defects;

    /// <summary>Returns when all images are over, or those that ran have stopped.</summary>
    /// <exception cref="CliException">The journal failed.</exception>
    public void Run(CancellationToken stop)
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(stop);
        _context.Journal.Do(Submit);
        lock (_gate)
        {
            while (!cancel.IsCancellationRequested && (StartMore(cancel) || _running > 0))
            {
                Monitor.Wait(_gate, TimeSpan.FromMilliseconds(500));
            }

            while (_running > 0)
            {
                Monitor.Wait(_gate);
            }
        }

        foreach (ImageProgress image in _images.Where(image => !image.HasEnded))
        {
            _context.Board.Enter(image, ImageStage.Interrupted);
        }

        if (_fatal is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_fatal);
        }
    }

    private void Submit(JournalBatch batch)
    {
        MigrationManifest manifest = _context.Manifest;
        batch.Do(new SubmitMigration(_runId, batch.Now, manifest.Name, ManifestWriter.Write(manifest), $"{Environment.UserName}@{Environment.MachineName}"));
        foreach (MigratedImage[] chunk in MigratedImages.Of(_images.Select(image => image.Plan)).Chunk(PlanChunk))
        {
            batch.Do(new PlanImages(_runId, batch.Now, [.. chunk]));
        }

        batch.Do(new CompletePlan(_runId, batch.Now));
    }

    // True where something was started.
    private bool StartMore(CancellationTokenSource cancel)
    {
        MigrationState before = _context.Journal.State.Run(_runId);
        if (before.HasEnded || before.Waiting.IsEmpty || before.Running.Count >= _context.Images)
        {
            return false;
        }

        MigrationState after = _context.Journal.Do(batch => batch.Do(new StartImages(_runId, batch.Now, _context.Images))).Run(_runId);
        long[] started = [.. after.Running.Except(before.Running).Values()];
        foreach (long index in started)
        {
            _running++;
            MigratedImage image = after.Images[(int)index];
            var thread = new Thread(() => Work(_images[(int)index], image, cancel)) { IsBackground = true, Name = $"image-{index}" };
            thread.Start();
        }

        return started.Length > 0;
    }

    private void Work(ImageProgress progress, MigratedImage image, CancellationTokenSource cancel)
    {
        try
        {
            InRootSlots(progress, () => End(progress, image, Migrate(progress, cancel.Token)), cancel.Token);
        }
        catch (OperationCanceledException)
        {
            _context.Board.Enter(progress, ImageStage.Interrupted);
        }
        catch (Exception e)
        {
            // The journal cannot be written: nothing more can be done that would count.
            lock (_gate)
            {
                _fatal ??= e;
            }

            if (!progress.HasEnded)
            {
                _context.Board.Enter(progress, ImageStage.Interrupted);
            }

            cancel.Cancel();
        }
        finally
        {
            lock (_gate)
            {
                _running--;
                Monitor.PulseAll(_gate);
            }
        }
    }

    private void InRootSlots(ImageProgress progress, Action work, CancellationToken cancel)
    {
        // In one order for all, so that no two images wait for each other.
        string[] roots = [progress.Source.Root, _context.Manifest.Target.Root.Text];
        SemaphoreSlim[] slots = [.. _rootSlots.Where(pair => roots.Contains(pair.Key)).Select(pair => pair.Value)];
        int taken = 0;
        try
        {
            foreach (SemaphoreSlim slot in slots)
            {
                slot.Wait(cancel);
                taken++;
            }

            work();
        }
        finally
        {
            foreach (SemaphoreSlim slot in slots.Take(taken))
            {
                slot.Release();
            }
        }
    }

    private ImageOutcome Migrate(ImageProgress progress, CancellationToken cancel)
    {
        try
        {
            return new ImageMigration(_context, progress, _gathered.Found[progress.Source]).Run(cancel);
        }
        catch (Exception e) when (e is not (OperationCanceledException or CliException))
        {
            lock (_gate)
            {
                _defects.Add(e);
            }

            return new ImageOutcome($"internal error: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}", null);
        }
    }

    private void End(ImageProgress progress, MigratedImage image, ImageOutcome outcome)
    {
        string digest = outcome.Job?.Digest ?? "";
        progress.Digest = outcome.Failure is null && digest.Length > 0 ? digest : null;
        var result = new ImageResult(
            outcome.Failure is null ? JobOutcome.Succeeded : JobOutcome.Failed,
            outcome.Failure ?? "",
            progress.Digest ?? "",
            outcome.Job?.BytesRead ?? 0,
            outcome.Job?.BytesWritten ?? 0);
        if (outcome.Failure is not null)
        {
            // Said before it is journaled: on a full disk the journal may fail next.
            _context.Board.Enter(progress, ImageStage.Failed, outcome.Failure);
        }

        MigrationState run = _context.Journal.Do(batch => batch.Do(new EndImage(_runId, batch.Now, image.Index, image.Attempt, result))).Run(_runId);
        if (outcome.Failure is null)
        {
            _context.Board.Enter(progress, ImageStage.Done);
        }
        else
        {
            // What stands on it fails with it, without having been started.
            foreach (MigratedImage other in run.Images.Where(other => other.Progress == RecordedProgress.Failed && !_images[other.Index].HasEnded && other.Index != image.Index && other.Attempt == 0))
            {
                _context.Board.Enter(_images[other.Index], ImageStage.Failed, other.Reason);
            }
        }
    }
}
