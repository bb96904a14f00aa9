using ImageCluster.Cli.Migrating.Converting;
using ImageCluster.Cli.Migrating.Gathering;
using ImageCluster.Cli.Migrating.Targets;
using ImageCluster.Cli.Native;
using ImageCluster.Cli.Progress;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Operations.Verifying;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Cli.Migrating;

/// <summary>The steps of one image's conversion that touch the target's file. What is done is told to the ledger once it is durable.</summary>
internal sealed class TargetWork : IDisposable
{
    /// <summary>Notes of a job: what its source looked like when it began, and which file its finished target is.</summary>
    public const string SourceNote = "source";
    public const string TargetNote = "target";

    private readonly MigrationContext _context;
    private readonly ImageProgress _progress;
    private readonly OpenedSource _source;
    private readonly StagingArea _staging;
    private readonly IFileLocator _locator;
    private readonly ImageFormat _format;
    private readonly CreateRequest _request;
    private readonly CancellationToken _cancel;
    private readonly bool _keepsChain;
    private IFillTarget? _target;

    public TargetWork(MigrationContext context, ImageProgress progress, OpenedSource source, StagingArea staging, CancellationToken cancel)
    {
        TargetDefinition target = context.Manifest.Target;
        _context = context;
        _progress = progress;
        _source = source;
        _staging = staging;
        _cancel = cancel;
        _locator = staging.Locator(context.Locator);
        _format = FormatRegistry.Find(target.Format)!;
        _keepsChain = progress.Plan.BackingTarget is not null;
        _request = new CreateRequest
        {
            FileName = staging.FinalPath,
            Locator = _locator,
            VirtualSize = source.Disk.VirtualSize,
            Options = Options(target),
            Compress = target.Compress,
        };
    }

    private int LayersToCopy => _keepsChain ? 1 : _source.Disk.Layers.Count;

    /// <summary>Creates the target's file and plans the job by what it is.</summary>
    public void Create(JobLedger ledger)
    {
        IFillTarget target = CreateFile();
        bool whole = IsWhole(target);
        long shardLength = whole ? RoundUp(Math.Max(1, target.VirtualSize), GuestDigest.LeafLength) : target.ShardLength;
        long shards = JobPlan.CountShards(target.VirtualSize, shardLength);
        bool verifies = _context.Manifest.Verify != VerifyMode.None;
        var plan = new JobPlan
        {
            VirtualSize = target.VirtualSize,
            ShardLength = shardLength,
            Stages =
            [
                new StagePlan(StageKind.Copy, shards),
                new StagePlan(StageKind.Finish, 1),
                .. verifies ? [new StagePlan(StageKind.Verify, shards)] : Array.Empty<StagePlan>(),
                new StagePlan(StageKind.Install, 1),
            ],
        };
        var layout = new FillLayout
        {
            Shards = shards,
            RoomStart = !whole && target.ReservesRoom && target.Room is not NoRoom ? target.Room.HighWater : -1,
            RoomAlignment = target.Granularity,
        };
        ledger.Plan(plan, layout, [new(ledger.NoteKey(SourceNote), _source.Watch.Fingerprint)]);
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
        IFillTarget target = _target ??= job.Completed.IsEmpty ? CreateFile() : _format.OpenFill(_request);
        if (!job.Completed.IsEmpty)
        {
            CleanFreedRoom(ledger);
        }

        bool whole = IsWhole(target);
        long assignment = ledger.Start();
        var source = new CountingSource(
            new DiskSource(_source.Disk, LayersToCopy, _keepsChain ? _source.Disk.Layers[1].VirtualSize : null), job.Plan!.ShardLength, bytes => _progress.AddConverted(bytes));
        DigestingTarget? digesting = TakesDigest(target) ? new DigestingTarget(target) : null;
        IRoom room = ledger.Fill!.Layout.HandsOutRoom
            ? new GrantedRoom((wanted, atLeast) => ledger.Grant(assignment, wanted, atLeast), Clean, RoomStep())
            : target.Room;
        List<ShardManifest> manifests = [];
        var checkpoint = new Checkpoint(
            results =>
            {
                target.Flush();
                ledger.Filled(assignment, results);
            },
            _context.Time);
        var converter = new Converter(source, digesting ?? target, new ConvertOptions
        {
            Threads = _context.Threads,
            Throttle = Throttle,
            IsShardDone = shard => !whole && job.Completed.ContainsKey(shard),
            ShardClosed = (shard, manifest) =>
            {
                if (whole)
                {
                    manifests.AddRange(manifest is null ? [] : [manifest]);
                    return;
                }

                long read = source.Take(shard);
                checkpoint.Add(new ShardResult
                {
                    Shard = shard,
                    Manifest = manifest,
                    Digest = digesting is null ? [] : [.. digesting.TakeDigest(shard)],
                    BytesRead = read,
                    BytesWritten = manifest is { DataBytes: > 0 } ? manifest.DataBytes : read,
                });
            },
        }, room);
        try
        {
            converter.Run(_cancel);
        }
        catch (Exception e) when (e is OperationCanceledException or ImageException)
        {
            // What is done is done, also where the rest fails.
            TryFlush(checkpoint);
            throw;
        }

        if (whole)
        {
            FinishWhole(ledger, assignment, target, manifests, new ShardResult
            {
                Shard = 0,
                Digest = digesting is null ? [] : [.. digesting.TakeDigests()],
                BytesRead = source.Take(0),
            });
            return;
        }

        if (target.VirtualSize == 0)
        {
            checkpoint.Add(new ShardResult { Shard = 0 });
        }

        checkpoint.Flush();
    }

    /// <summary>Makes the target's file whole.</summary>
    public void Finish(JobLedger ledger)
    {
        IFillTarget target = _target ??= _format.OpenFill(_request);
        JobState job = ledger.Job;
        long assignment = ledger.Start();
        long end = 0;
        foreach (ShardManifest manifest in job.Copied.Values.Select(shard => shard.Result.Manifest).OfType<ShardManifest>())
        {
            target.Publish(manifest);
            end = manifest.Rooms.Aggregate(end, (highest, room) => Math.Max(highest, room.Start + room.Length));
        }

        if (ledger.Fill is { Layout.HandsOutRoom: true } fill)
        {
            // Behind what shards occupy all is clean, whatever was granted.
            target.Room.SkipTo(Math.Max(end, fill.Layout.RoomStart));
        }

        target.Finish();
        CloseTarget();
        ledger.Finished(assignment);
    }

    /// <summary>Reads the target back. Returns the guest offset of a difference, or null.</summary>
    public long? Verify(JobLedger ledger)
    {
        CloseTarget();
        JobState job = ledger.Job;
        long assignment = ledger.Start();
        var options = new ChainOptions { Format = _format.Name };
        using LayeredDisk target = new ChainOpener(_locator).Open(_staging.FinalPath, options);
        bool compares = _context.Manifest.Verify == VerifyMode.Compare || _keepsChain;
        var checkpoint = new Checkpoint(results => ledger.Completed(assignment, results), _context.Time);
        var verifier = new DiskVerifier(target, compares ? _source.Disk : null, new VerifyOptions
        {
            Threads = _context.Threads,
            Throttle = compares ? Throttle : bytes => ThrottleRoot(_context.Manifest.Target.Root.Text, bytes),
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

    // A target that must be filled in one go, in order, or whose shards are too small to keep books about: nothing of it counts until all is done.
    private static bool IsWhole(IFillTarget target) => !target.ShardsIndependent || !DigestingTarget.CanWrap(target);

    private static long RoundUp(long value, long unit) => (long)Int128.Min(((Int128)value + unit - 1) / unit * unit, long.MaxValue / unit * unit);

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

    private void FinishWhole(JobLedger ledger, long assignment, IFillTarget target, List<ShardManifest> manifests, ShardResult result)
    {
        manifests.ForEach(target.Publish);
        target.Finish();
        CloseTarget();
        ledger.FilledWhole(assignment, result);
    }

    private IFillTarget CreateFile()
    {
        _staging.StartAnew();
        IFillTarget target = _format.CreateFill(_request);
        _target = target;
        target.Flush();
        HostFiles.SyncDirectory(_staging.DirectoryPath);
        return target;
    }

    private Dictionary<string, string> Options(TargetDefinition target)
    {
        var options = new Dictionary<string, string>(target.Options, StringComparer.Ordinal);
        if (_progress.Plan.BackingTarget is { } backing)
        {
            options["backing_file"] = Path.GetRelativePath(_staging.FinalDirectory, _context.Roots.PathOf(backing));
            options["backing_fmt"] = target.Format;
        }

        return options;
    }

    // Comparing takes the digest by itself, from what is read back.
    private bool TakesDigest(IFillTarget target) =>
        _context.Manifest.Verify != VerifyMode.Compare && !_keepsChain && DigestingTarget.CanWrap(target);

    // Few grants, since each is a transaction; and not much more room than there is data, since the target's end lies behind it.
    private long RoomStep() => Math.Clamp(_progress.DataBytes / 16, 4L << 20, 1L << 30);

    private void CleanFreedRoom(JobLedger ledger)
    {
        foreach (FreeRoom room in ledger.Fill?.Free.Values.Where(room => room.Dirty) ?? [])
        {
            Clean(new RoomGrant(0, room.Start, room.Length, Dirty: true));
        }
    }

    // Beside the target's own handle, which has the image's lock.
    private void Clean(RoomGrant room)
    {
        using IBlockFile file = _context.Locator.Open(_staging.MainFile, OpenMode.ReadWrite with { Lock = ImageLock.None });
        long length = Math.Min(room.End, file.Length) - room.Start;
        if (length > 0)
        {
            file.WriteZeroes(room.Start, length, ZeroMode.MayUnmap);
        }
    }

    private void Throttle(int bytes)
    {
        _context.Limiter?.Take(bytes, _cancel);
        ThrottleRoot(_progress.Source.Root, bytes);
        ThrottleRoot(_context.Manifest.Target.Root.Text, bytes);
    }

    private void ThrottleRoot(string root, int bytes)
    {
        if (_context.RootLimiters.TryGetValue(root, out RateLimiter? limiter))
        {
            limiter.Take(bytes, _cancel);
        }
    }

    private void CloseTarget()
    {
        _target?.Dispose();
        _target = null;
    }
}
