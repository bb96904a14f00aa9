using ImageCluster.Cli.Journal;
using ImageCluster.Cli.Migrating.Converting;
using ImageCluster.Cli.Progress;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations.Verifying;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Work;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Targets;

namespace ImageCluster.Cli.Migrating;

/// <summary>The steps of one image's conversion that touch the target's file. What is done is told to the ledger once it is durable.</summary>
internal sealed class TargetWork : IDisposable
{
    // As many requests of a server are under way.
    private const int ThreadsForServers = 8;

    private readonly MigrationContext _context;
    private readonly ImageProgress _progress;
    private readonly OpenedSource _source;
    private readonly TargetPlace _place;
    private readonly ConvertTarget _files;
    private readonly CancellationToken _cancel;
    private readonly ConvertSpec _spec;
    private readonly bool _keepsChain;
    private readonly int _threads;
    private IFillTarget? _target;

    public TargetWork(MigrationContext context, ImageProgress progress, ConvertSpec spec, OpenedSource source, TargetPlace place, CancellationToken cancel)
    {
        _context = context;
        _progress = progress;
        _spec = spec;
        _source = source;
        _place = place;
        _cancel = cancel;
        _keepsChain = spec.Backing is not null;
        bool usesServer = source.IsRemote || RemoteRoot.IsOne(place.FinalPath);
        _threads = context.ThreadsFor(spec.Source.Root, usesServer ? Math.Max(context.Threads, ThreadsForServers) : context.Threads);
        _files = new ConvertTarget(spec, source.Disk.VirtualSize, place, context.Roots.Files,
            spec.Backing is null ? null : context.Roots.PathOf(spec.Backing), OpenMode.ReadWrite, context.Roots.Secrets);
    }

    private int LayersToCopy => _keepsChain ? 1 : _source.Disk.Layers.Count;

    /// <summary>Creates the target's file and plans the job by what it is.</summary>
    public void Create(JobLedger ledger)
    {
        IFillTarget target = CreateFile();
        JobPlan planned = JobPlanner.Plan(ledger.Job.Spec!, ConvertTarget.GeometryOf(target));
        // The file is there, and what a failed run leaves is removed with the staging area.
        JobPlan plan = planned with { Stages = planned.Stages.RemoveAll(stage => stage.Kind == StageKind.Create), CleanUp = false };
        if (plan.Problem is { } problem)
        {
            // A header of a few bytes may claim a disk that nobody can cut.
            throw new ImageException(ImageErrorKind.Limit, _place.FinalPath, problem);
        }

        FillLayout layout = ConvertTarget.LayoutOf(target, plan.Stages[0].Shards);
        ledger.Plan(plan, layout, [new(ledger.NoteKey(MigrationJournal.SourceNote), _source.Watch.Fingerprint)]);
    }

    /// <summary>Counts what an earlier run has done already, for the progress shown.</summary>
    public void MeasureResumed(JobState job)
    {
        long Data(IEnumerable<long> shards) => shards.Sum(shard =>
        {
            Range64 range = job.Plan!.RangeOf(shard);
            return SourceInspector.DataBytes(_source.Disk, LayersToCopy, range.Start, Math.Min(range.End, _source.Disk.VirtualSize), _cancel);
        });

        bool copied = job.Stage != StageKind.Copy;
        _progress.ResumedBytes = copied ? _progress.DataBytes : Data(job.Completed.Keys);
        _progress.ResumedVerifiedBytes = job.Stage == StageKind.Verify ? Data(job.Completed.Keys) : job.Stage == StageKind.Install ? _progress.DataBytes : 0;
    }

    /// <summary>Fills every shard that is not done yet.</summary>
    public void Copy(JobLedger ledger)
    {
        JobState job = ledger.Job;
        // Where no shard is done there is nothing to go on from: a new file is cleaner than one with remains.
        IFillTarget target = _target ??= job.Completed.IsEmpty ? CreateFile() : _files.Open();
        if (!job.Completed.IsEmpty)
        {
            CleanFreedRoom(ledger);
        }

        long assignment = ledger.Start(_place.Mark is { } mark ? [new(ledger.NoteKey(MigrationJournal.TargetNote), mark)] : null);
        var filling = new TargetFilling(target, _source.Disk, new FillingOptions
        {
            Threads = _threads,
            KeepsChain = _keepsChain,
            // Comparing takes the digest by itself, from what is read back.
            TakesDigest = _context.Manifest.TakesDigest && _context.Manifest.Verify != VerifyMode.Compare,
            Throttle = ThrottleOf(StageKind.Copy),
            BytesRead = bytes => _progress.AddConverted(bytes),
            IsShardDone = job.Completed.ContainsKey,
        });
        if (ConvertTarget.IsWhole(target))
        {
            ShardResult result = filling.FillWhole(_cancel);
            CloseTarget();
            _place.Complete(_cancel);
            ledger.FilledWhole(assignment, result);
            return;
        }

        IRoom room = ledger.Fill!.Layout.HandsOutRoom
            ? new GrantedRoom((request, wanted, atLeast) => ledger.Grant(assignment, request, wanted, atLeast), _files.Clean, RoomStep())
            : target.Room;
        var checkpoint = new Checkpoint(
            results =>
            {
                target.Flush();
                ledger.Filled(assignment, results);
            },
            _context.Time);
        try
        {
            filling.Fill(0, ledger.Fill!.Layout.Shards, room, checkpoint.Add, _cancel);
        }
        catch (Exception e) when (e is OperationCanceledException or ImageException)
        {
            // What is done is done, also where the rest fails.
            TryFlush(checkpoint);
            throw;
        }

        checkpoint.Flush();
    }

    /// <summary>Makes the target's file whole.</summary>
    public void Finish(JobLedger ledger)
    {
        IFillTarget target = _target ??= _files.Open();
        JobState job = ledger.Job;
        long assignment = ledger.Start();
        ConvertTarget.Finish(target, ledger.Fill!.Layout, job.Copied.Values.Select(shard => shard.Result.Manifest).OfType<ShardManifest>());
        CloseTarget();
        ledger.Finished(assignment);
    }

    /// <summary>Reads the target back. Returns the guest offset of a difference, or null.</summary>
    public long? Verify(JobLedger ledger)
    {
        CloseTarget();
        JobState job = ledger.Job;
        long assignment = ledger.Start();
        var options = new ChainOptions
        {
            Format = _files.Format.Name,
            Secret = _files.Request.Secret,
            BackingSecret = _context.Roots.Secrets.For(_context.Manifest.Target.Secret ?? ""),
            Options = TargetStanding.DriverOptions(_place.FinalPath, _files.Format.Name, _files.Request.VirtualSize),
            References = TargetStanding.References(_place.FinalPath),
        };
        using LayeredDisk target = new ChainOpener(_files.Locator).Open(_place.FinalPath, options);
        bool compares = _context.Manifest.Verify == VerifyMode.Compare || _keepsChain;
        var checkpoint = new Checkpoint(results => ledger.Completed(assignment, results), _context.Time);
        var verifier = new DiskVerifier(target, compares ? _source.Disk : null, new VerifyOptions
        {
            Threads = _threads,
            TakesDigest = _context.Manifest.TakesDigest,
            Throttle = ThrottleOf(StageKind.Verify),
            Progress = bytes => _progress.AddVerified(bytes),
            ShardLength = job.Plan!.ShardLength,
            IsShardDone = job.Completed.ContainsKey,
            ShardVerified = (shard, parts) => checkpoint.Add(new ShardResult { Shard = shard, Digest = [.. parts] }),
        });
        VerifyResult result;
        try
        {
            result = verifier.Run(_cancel);
        }
        catch (Exception e) when (e is OperationCanceledException or ImageException)
        {
            TryFlush(checkpoint);
            throw;
        }

        if (result.Identical)
        {
            if (target.VirtualSize == 0)
            {
                checkpoint.Add(new ShardResult { Shard = 0 });
            }

            // The last shard ends the step: it must not while what was read may be of two moments.
            _source.Watch.RequireUnchanged();
            checkpoint.Flush();
        }

        return result.DifferenceAt;
    }

    public void Dispose() => CloseTarget();

    private static void TryFlush(Checkpoint checkpoint)
    {
        try
        {
            checkpoint.Flush();
        }
        catch (ImageException)
        {
            // The first failure is the one to report; these shards are done once more by the next run.
        }
    }

    private IFillTarget CreateFile() => _target = _files.Create();

    // Few grants, since each is a transaction; and not much more room than there is data, since the target's end lies behind it.
    private long RoomStep() => Math.Clamp(_progress.DataBytes / 16, 4L << 20, 1L << 30);

    private void CleanFreedRoom(JobLedger ledger)
    {
        foreach (FreeRoom room in ledger.Fill?.Free.Values.Where(room => room.Dirty) ?? [])
        {
            _files.Clean(new RoomGrant(0, room.Start, room.Length, Dirty: true));
        }
    }

    private Action<int> ThrottleOf(StageKind stage)
    {
        StageTraffic traffic = StageTraffic.Of(_spec, stage);
        RateLimiter[] limiters =
        [
            .. traffic.ReadsSource && _context.Limiter is { } whole ? [whole] : Array.Empty<RateLimiter>(),
            .. traffic.Roots.Select(root => _context.RootLimiters.GetValueOrDefault(root)).OfType<RateLimiter>(),
        ];
        return bytes => Array.ForEach(limiters, limiter => limiter.Take(bytes, _cancel));
    }

    private void CloseTarget()
    {
        _target?.Dispose();
        _target = null;
    }
}
