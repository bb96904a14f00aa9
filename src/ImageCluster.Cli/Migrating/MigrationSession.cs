using System.Text.Json.Nodes;
using ImageCluster.Cli.Journal;
using ImageCluster.Cli.Progress;
using ImageCluster.Cli.Reports;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Plans;
using ImageCluster.Work;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Native;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Secrets;
using ImageCluster.Work.Targets;
using Spectre.Console;

namespace ImageCluster.Cli.Migrating;

/// <summary>One call of <c>imagecluster migrate</c>: gathers facts, plans, runs, reports.</summary>
internal sealed class MigrationSession
{
    private readonly CliHost _host;
    private readonly MigrateRequest _request;
    private readonly OutputForm _form;
    private readonly MigrationManifest _manifest;
    private readonly RootMap _roots;
    private readonly string _targetRoot;
    private readonly bool _isDirectory;
    private readonly string _state;
    private readonly SourceInspector _inspector;

    public MigrationSession(CliHost host, MigrateRequest request, OutputForm form)
    {
        _host = host;
        _request = request;
        _form = form;
        _manifest = request.Manifest;
        _roots = Fitting(() => ManifestRoots.Of(
            _manifest, request.BaseDirectory, new SecretStore(request.SecretsDirectory, Environment.GetEnvironmentVariable), request.AllowedRoots));
        _targetRoot = _roots.Of(_manifest.Target.Root.Text);
        _inspector = new SourceInspector(_roots.Files, _roots.Allowed, request.ProbeBacking, _roots.Protocols, _roots.Secrets);
        _isDirectory = !RemoteRoot.IsOne(_targetRoot);
        _state = request.StateDirectory ?? (_isDirectory && !TargetStanding.IsForDevices(_targetRoot) ? _targetRoot : request.BaseDirectory);
        if (_isDirectory && !Directory.Exists(_targetRoot) && !request.CreatesTargetRoot)
        {
            throw CliException.Refused($"{_targetRoot}: the directory of the target root is not there", "create it, or mount what belongs there");
        }
    }

    /// <summary>Shows what would happen.</summary>
    public int ShowPlan()
    {
        using MigrationJournal? journal = OpenExisting();
        MigrationPlan plan = Gather(journal).Plan;
        if (_form is OutputForm.Json or OutputForm.JsonLines)
        {
            JsonObject document = PlanDocument.Make(_manifest.Name, plan);
            _host.Out.Write(_form == OutputForm.Json ? JsonOutput.Document(document) : document.ToJsonString(JsonOutput.Line) + "\n");
        }
        else
        {
            PlanTable.Write(_host.Console, plan, _targetRoot);
        }

        return !plan.CanStart ? ExitCode.Refused : plan.Images.Any(image => image.Action == PlanAction.Refuse) ? ExitCode.SomeFailed : ExitCode.Done;
    }

    /// <summary>Does it.</summary>
    public int Migrate()
    {
        DateTimeOffset startedAt = _host.Time.GetUtcNow();
        if (_request.Restart)
        {
            ThrowAwayUnfinished();
        }

        MigrationJournal? journal = OpenExisting();
        try
        {
            GatheredPlan gathered = Gather(journal);
            if (!gathered.Plan.CanStart)
            {
                return Refuse(gathered.Plan);
            }

            if (journal is null)
            {
                // Not before: a migration that is refused leaves nothing behind.
                if (_isDirectory)
                {
                    HostFiles.CreateDirectory(_targetRoot);
                }

                journal = MigrationJournal.Open(_state, _targetRoot, _manifest, _host.Time);
                if (journal.State.Runs.Count > 0)
                {
                    throw CliException.Refused($"migration '{_manifest.Name}' was started by somebody else just now", "run the same command again");
                }
            }

            return Run(journal, gathered, startedAt);
        }
        finally
        {
            journal?.Dispose();
        }
    }

    private int Refuse(MigrationPlan plan)
    {
        if (_form is OutputForm.Json or OutputForm.JsonLines)
        {
            JsonObject document = PlanDocument.Make(_manifest.Name, plan);
            document["event"] = "refused";
            _host.Out.Write(_form == OutputForm.Json ? JsonOutput.Document(document) : document.ToJsonString(JsonOutput.Line) + "\n");
        }

        foreach (PlanRefusal refusal in plan.Refusals)
        {
            _host.Error.WriteLine($"imagecluster: {ErrorText.Join(refusal.Message, refusal.Hint)}");
        }

        return ExitCode.Refused;
    }

    private int Run(MigrationJournal journal, GatheredPlan gathered, DateTimeOffset startedAt)
    {
        var board = new ProgressBoard(_manifest.Name, _host.Time);
        ImageProgress[] images = [.. gathered.Plan.Images.Select(image => new ImageProgress(image) { Verifies = _manifest.Verify != VerifyMode.None })];
        board.Show(images);
        (int parallel, int threads) = Parallelism(images.Count(image => image.Plan.Action == PlanAction.Convert));
        var context = new MigrationContext
        {
            Manifest = _manifest,
            Roots = _roots,
            Inspector = _inspector,
            Journal = journal,
            Board = board,
            Time = _host.Time,
            Limiter = _manifest.Rate is { } rate ? new RateLimiter(rate.BytesPerSecond, _host.Time) : null,
            RootLimiters = _manifest.Limits.Roots.Where(root => root.Value.Rate is not null)
                .ToDictionary(root => root.Key, root => new RateLimiter(root.Value.Rate!.Value.BytesPerSecond, _host.Time)),
            Threads = threads,
            Images = parallel,
        };
        var runner = new MigrationRunner(context, gathered, images);
        Task work = Displays.For(_form, _host.Console, _host.Out).Follow(board, () => Task.Factory.StartNew(
            () => Start(runner, board, images), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
        work.GetAwaiter().GetResult();

        var report = new MigrationReport
        {
            Manifest = _manifest,
            Roots = _roots,
            Gathered = gathered,
            Images = images,
            StartedAt = startedAt,
            Elapsed = board.Elapsed,
            Time = _host.Time,
            WasStopped = _host.Stop.IsCancellationRequested && images.Any(image => image.Stage == ImageStage.Interrupted),
            Defects = runner.Defects.Count,
        };
        foreach (Exception defect in runner.Defects)
        {
            _host.Error.WriteLine($"imagecluster: internal error: {defect}");
        }

        Report(report);
        return report.ExitCode;
    }

    private void Start(MigrationRunner runner, ProgressBoard board, ImageProgress[] images)
    {
        foreach (ImageProgress image in images.Where(image => image.Plan.Action != PlanAction.Convert))
        {
            board.Enter(image, image.Plan.Action == PlanAction.Skip ? ImageStage.Skipped : ImageStage.Failed, image.Plan.Reason);
        }

        runner.Run(_host.Stop);
    }

    private void Report(MigrationReport report)
    {
        JsonObject document = report.ToDocument();
        string text = JsonOutput.Document(document);
        string file = MigrationJournal.PathOf(_state, _manifest.Name, ".report.json");
        WriteReport(file, text);
        if (_request.ReportFile is not null)
        {
            WriteReport(_request.ReportFile, text);
        }

        switch (_form)
        {
            case OutputForm.Json:
                _host.Out.Write(text);
                break;
            case OutputForm.JsonLines:
                document["event"] = "end";
                _host.Out.WriteLine(document.ToJsonString(JsonOutput.Line));
                break;
            default:
                ReportTable.Write(_host.Console, report);
                ReportTable.WriteTotals(_host.Console, report);
                _host.Out.WriteLine($"Report: {_request.ReportFile ?? file}");
                break;
        }
    }

    // What is done is done: a report that cannot be written is said so and changes nothing.
    private void WriteReport(string file, string text)
    {
        try
        {
            string written = file + ".new";
            File.WriteAllText(written, text);
            File.Move(written, file, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _host.Error.WriteLine($"imagecluster: {file}: the report could not be written: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    private GatheredPlan Gather(MigrationJournal? journal) => Fitting(() => Look(journal));

    // A manifest that does not fit this machine is the user's to correct.
    private static T Fitting<T>(Func<T> gather)
    {
        try
        {
            return gather();
        }
        catch (GatheringException e)
        {
            throw CliException.Usage(e.Message, e.Hint);
        }
    }

    private GatheredPlan Look(MigrationJournal? journal)
    {
        var maker = new PlanMaker(_manifest, _roots, _inspector, _roots.Files, journal);
        if (_form != OutputForm.Auto || !Displays.IsTerminal(_host.Console))
        {
            return maker.Make((_, _) => { }, _host.Stop);
        }

        GatheredPlan? gathered = null;
        _host.Console.Status().Start("Looking for images", status =>
            gathered = maker.Make((done, all) => status.Status($"Looking at images: {done:#,0} of {all:#,0}"), _host.Stop));
        return gathered!;
    }

    private MigrationJournal? OpenExisting() =>
        File.Exists(MigrationJournal.PathOf(_state, _manifest.Name)) ? MigrationJournal.Open(_state, _targetRoot, _manifest, _host.Time) : null;

    private void ThrowAwayUnfinished()
    {
        if (!File.Exists(MigrationJournal.PathOf(_state, _manifest.Name)))
        {
            return;
        }

        // The lock first: what is thrown away must not be somebody's work.
        using (JournalLock.Take(MigrationJournal.PathOf(_state, _manifest.Name, ".lock"), _manifest.Name))
        {
            MigrationJournal.Remove(_state, _manifest.Name);
            foreach (string partial in _isDirectory ? StagingArea.Find(_targetRoot, _manifest.Name) : [])
            {
                Directory.Delete(partial, recursive: true);
            }
        }
    }

    // Threads beyond the cores hide the waiting for storage; images beyond a few only make all of them late.
    private (int Images, int Threads) Parallelism(int images)
    {
        int cores = Environment.ProcessorCount;
        int parallel = Math.Max(1, Math.Min(images, _manifest.Parallel.Images ?? Math.Clamp(cores / 2, 2, 8)));
        parallel = Math.Min(parallel, _manifest.Limits.Shards ?? parallel);
        int threads = _manifest.Parallel.Threads ?? Math.Clamp((cores + parallel - 1) / parallel, 2, 16);
        return (parallel, threads);
    }
}
