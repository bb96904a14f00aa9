using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Commands;

/// <summary>Carries out <c>convert</c>: opens the sources, makes or opens the target, copies.</summary>
internal sealed class Conversion(CommandHost host, CommandArguments command, ConversionPlan plan)
{
    // qemu-img's words for an image that has no clusters, such as a flat vmdk.
    private const string NoClusters = "invalid cluster size";

    private const int SectorSize = 512;

    private readonly List<LayeredDisk> _sources = [];
    private readonly Lock _salvaging = new();

    // Bytes that the backing file of a target covers that is there already; without one, nothing is known of what lies behind.
    private long _backingSize;
    private string? _backingFile;
    private string? _backingFormat;

    // Held until all is written: nobody is to change it meanwhile.
    private LayeredDisk? _heldBacking;

    // What is made takes the place of a file that was there.
    private bool _replaces;

    public void Run()
    {
        using ProgressMeter progress = new(host.Out, host.Errors, plan.Progress, step: 1);
        try
        {
            foreach (string name in plan.SourceNames)
            {
                OpenSettings settings = new() { Cache = plan.SourceCache, ForceShare = command.ForceShare, Use = ImageUse.Source };
                _sources.Add(ImageOpener.Open(host, command.Image(name), settings));
            }

            LayeredDisk? snapshot = plan.Snapshot is null ? null : OpenSnapshot(plan.Snapshot);
            (ImageFormat Format, CreateOptionSet Options)? creation = plan.SkipsCreation ? null : PrepareCreation();
            _backingFile ??= plan.BackingFile;
            _backingFormat ??= plan.BackingFormat;
            CheckBacking();
            if (plan.Compress && creation is { } made)
            {
                CheckCompression(made.Format, made.Options);
            }

            if (plan.Bitmaps && _sources.Count > 1)
            {
                throw new CommandException("Copying bitmaps only possible with single source");
            }

            BitmapCopy? bitmaps = plan.Bitmaps ? new BitmapCopy(host, _sources[0].Top, plan.SkipBrokenBitmaps) : null;
            using StagedTarget? staged = creation is null ? null : host.Locator.Stage(plan.Target);
            IFileLocator locator = staged?.Locator ?? host.Locator;
            CacheMode cache = ParseCache(creation, locator);
            _replaces = creation is not null && locator.Exists(plan.Target);
            using (IFillTarget target = creation is { } c ? Create(c.Format, c.Options, cache, locator) : OpenTarget(cache))
            {
                Copy(Source(snapshot, target, locator), target, progress);
            }

            bitmaps?.Run(TargetReference, locator, cache);
            Publish(staged);
            progress.Report(100);
        }
        finally
        {
            _sources.ForEach(static disk => disk.Dispose());
            _heldBacking?.Dispose();
        }
    }

    // What is wrong with making the target is said before what is wrong with how it would be written.
    private CacheMode ParseCache((ImageFormat Format, CreateOptionSet Options)? creation, IFileLocator locator)
    {
        try
        {
            return CommandArguments.ParseCache(plan.CacheName, CacheMode.Unsafe);
        }
        catch (CommandException) when (creation is { Format.Name: not "vmdk" } && (locator != host.Locator || !locator.Exists(plan.Target)))
        {
            Create(creation.Value.Format, creation.Value.Options, CacheMode.Unsafe, locator).Dispose();
            if (locator == host.Locator)
            {
                locator.Delete(plan.Target);
            }

            throw;
        }
    }

    private long TotalSize => _sources.Sum(static disk => disk.VirtualSize);

    private LayeredDisk OpenSnapshot(SnapshotSelector selector)
    {
        if (_sources.Count > 1 && selector.IdOrName is not null)
        {
            throw new CommandException("No support for concatenating multiple snapshot");
        }

        return SnapshotSelector.Open(_sources[0], selector);
    }

    private (ImageFormat Format, CreateOptionSet Options) PrepareCreation()
    {
        string name = plan.OutputFormat!;
        if (!CreationDrivers.TryFind(host, name, plan.Target, out ImageFormat? format, out string? objection))
        {
            throw new CommandException(objection);
        }

        CreateOptionSet options = CreationDrivers.Options(host, format, name, plan.Target);
        if (plan.Options is not null)
        {
            options.Parse(plan.Options, "");
        }

        options.TrySet("size", TotalSize.ToString(CultureInfo.InvariantCulture));
        if (plan.BackingFile is not null && !options.TrySet("backing_file", plan.BackingFile))
        {
            throw new CommandException($"Backing file not supported for file format '{name}'");
        }

        if (plan.BackingFormat is not null && !options.TrySet("backing_fmt", plan.BackingFormat))
        {
            throw new CommandException($"Backing file format not supported for file format '{name}'");
        }

        _backingFile = options.Get("backing_file");
        _backingFormat = options.Get("backing_fmt");
        return (format, options);
    }

    private void CheckBacking()
    {
        if (_backingFile is null)
        {
            return;
        }

        if (_sources.Count > 1)
        {
            throw new CommandException("Having a backing file for the target makes no sense when concatenating multiple input images");
        }

        if (!plan.SkipsCreation && _backingFormat is null)
        {
            throw new CommandException("Use of backing file requires explicit backing format");
        }

        if (plan.TargetIsZero)
        {
            throw new CommandException("Cannot use --target-is-zero when the destination image has a backing file");
        }

        if (!plan.SkipsCreation && IsTarget(_backingFile))
        {
            // It would be lost before anybody looks at it.
            throw new CommandException($"{plan.Target}: error while converting {plan.OutputFormat}: Error: Trying to create an image with the same filename as the backing file");
        }
    }

    private static void CheckCompression(ImageFormat format, CreateOptionSet options)
    {
        if (!format.SupportsCompression)
        {
            throw new CommandException("Compression not supported for this file format");
        }

        bool encrypts = options.Get("encryption") is "on" or "yes" or "true" or "y" || options.Get("encrypt.format") is not null;
        if (encrypts)
        {
            throw new CommandException("Compression and encryption not supported at the same time");
        }

        if (options.Get("preallocation") is not (null or "off"))
        {
            throw new CommandException("Compression and preallocation not supported at the same time");
        }
    }

    private IFillTarget Create(ImageFormat format, CreateOptionSet options, CacheMode cache, IFileLocator locator)
    {
        try
        {
            CreationDrivers.CheckName(host, plan.OutputFormat!, plan.Target);
            CreateRequest request = new()
            {
                FileName = plan.Target,
                Locator = locator,
                VirtualSize = TotalSize,
                Options = options.Values,
                Compress = plan.Compress,
                Mode = new OpenMode { Write = true, Cache = cache, Use = UseOfTarget(cache) },
                Secret = host.Secrets.Lookup(options.Values, plan.Target),
                OpenBacking = name => ImageReference.OpenBackingByName(host, name, options.Get("backing_fmt")),
            };
            IFillTarget target = format.CreateFill(request);
            CheckBitmaps(format.SupportsBitmaps(request), format.Name, target);
            return target;
        }
        catch (ImageException e) when (plan.Compress && e.Message == NoClusters)
        {
            // qemu-img finds out when the image is there.
            throw new CommandException(NoClusters);
        }
        catch (ImageException e)
        {
            ImageException first = CreationDrivers.FirstReason(host, plan.OutputFormat!, plan.Target, e);
            throw new CommandException($"{plan.Target}: error while converting {plan.OutputFormat}: {first.Message}") { Hint = ImageOpener.HintText(first) };
        }
    }

    private ImageReference TargetReference =>
        plan.TargetIsOptionText ? ImageReference.FromOptionText(host, plan.Target) : ImageReference.FromName(plan.Target, plan.OutputFormat);

    // They are copied when all else is; that they can be is made sure of before.
    private void CheckBitmaps(bool supported, string format, IDisposable target)
    {
        if (plan.Bitmaps && !supported)
        {
            target.Dispose();
            throw new CommandException($"Format driver '{format}' does not support bitmaps");
        }
    }

    // Past the page cache the end of a file is written by whole blocks, which may make it longer.
    private static ImageUse UseOfTarget(CacheMode cache) => cache is CacheMode.None or CacheMode.DirectSync ? ImageUse.Resize : ImageUse.Write;

    private InPlaceTarget OpenTarget(CacheMode cache)
    {
        if (plan.TargetIsOptionText && plan.OutputFormat is not null)
        {
            throw new CommandException("--image-opts and --format are mutually exclusive");
        }

        ImageReference image = TargetReference;

        LayeredDisk disk = ImageOpener.Open(host, image, new OpenSettings { Write = true, Cache = cache, Use = UseOfTarget(cache), Unmap = plan.SparseSize > 0 });
        if (plan.Compress && CompressionComplaint(disk.Top) is { } complaint)
        {
            disk.Dispose();
            throw new CommandException(complaint);
        }

        CheckBitmaps(disk.Top is IBitmaps { SupportsBitmaps: true }, disk.Top.FormatName, disk);
        _backingSize = disk.Layers.Count > 1 ? disk.Layers[1].VirtualSize : long.MaxValue;
        if (disk.VirtualSize >= TotalSize)
        {
            return new InPlaceTarget(disk, TotalSize, plan.Compress);
        }

        disk.Dispose();
        throw new CommandException("output file is smaller than input file");
    }

    private static string? CompressionComplaint(IImageLayer target) => target switch
    {
        _ when FormatRegistry.Find(target.FormatName) is not { SupportsCompression: true } => "Compression not supported for this file format",
        IImageStatus { ClusterSize: 0 } => NoClusters,
        _ => null,
    };

    private IConvertSource Source(LayeredDisk? snapshot, IFillTarget target, IFileLocator locator)
    {
        LayeredDisk first = snapshot ?? _sources[0];
        if (_backingFile is not null)
        {
            // Over a backing file only the source's top image is copied: what lies below is taken to be the same.
            return new DiskSource(first, layersAboveBase: 1, plan.SkipsCreation ? _backingSize : BackingSize(target, locator));
        }

        // A snapshot that is named by options is that of the first.
        return _sources.Count == 1 ? new DiskSource(first) : new ConcatenatedSource([new DiskSource(first), .. _sources.Skip(1).Select(static disk => new DiskSource(disk))]);
    }

    // Bytes of the guest's disk that the target's backing file covers.
    private long BackingSize(IFillTarget target, IFileLocator locator)
    {
        try
        {
            ImageReference backing = BackingReference();
            _heldBacking = new ChainOpener(host.Locator).Open(backing.FileName, ImageOpener.Options(host, backing, new OpenSettings()));
            return _heldBacking.VirtualSize;
        }
        catch (ImageException e)
        {
            Abandon(target, locator);
            throw new CommandException($"Could not open '{TargetReference.Text}': Could not open backing file: {e.Message}") { Hint = ImageOpener.HintText(e) };
        }
    }

    // What cannot be told is another file; what is wrong with the name is said where it is opened.
    private bool IsTarget(string backingFile)
    {
        try
        {
            return backingFile.Length > 0 && host.Locator.Canonical(BackingReference().FileName) == host.Locator.Canonical(plan.Target);
        }
        catch (ImageException)
        {
            return false;
        }
    }

    // A qcow image does not store its backing file's format, a qed image no more of it than whether it is raw.
    private ImageReference BackingReference() => ImageReference.FromBackingName(
        host.Locator.Combine(plan.Target, _backingFile!), !plan.SkipsCreation && (plan.OutputFormat == "qcow" || (plan.OutputFormat == "qed" && _backingFormat != "raw")) ? null : _backingFormat);

    // A target that cannot be used is not left behind. What took the place of another file is left as qemu-img leaves it: its name is not ours to delete.
    private void Abandon(IFillTarget target, IFileLocator locator)
    {
        if (_replaces)
        {
            target.Finish();
        }
        else
        {
            locator.Delete(plan.Target);
        }
    }

    private void Copy(IConvertSource source, IFillTarget target, ProgressMeter progress)
    {
        using RateLimiter? limiter = plan.BytesPerSecond > 0 ? new RateLimiter(plan.BytesPerSecond) : null;
        long whole = Math.Max(1, source.VirtualSize);
        long done = 0;
        ConvertOptions options = new()
        {
            Threads = Parallelism.Threads(host, _sources, [plan.Target], plan.Coroutines),
            SparseSize = plan.SparseSize,
            TargetIsZero = plan.TargetIsZero,
            OutOfOrder = plan.OutOfOrder,
            CopyRanges = plan.CopyRanges,
            Progress = bytes => progress.Report(Interlocked.Add(ref done, bytes), whole),
            Throttle = limiter is null ? null : limiter.Take,
            OnReadError = plan.Salvage ? (offset, failure) => Salvaged("offset", offset, failure) : null,
            OnMapError = plan.Salvage ? (offset, failure) => Salvaged("block status at offset", offset, failure) : null,
        };
        if (plan.Salvage)
        {
            NameUnknown(source);
        }

        try
        {
            new Converter(source, target, options).Run(CancellationToken.None);
            target.Finish();
        }
        catch (ImageException e)
        {
            string at = e.GuestOffset.ToString(CultureInfo.InvariantCulture);
            string reason = host.Reason(e);
            throw new CommandException(e.Access switch
            {
                DiskAccess.Map => $"error while reading block status at offset {at}: {reason}",
                DiskAccess.Read => $"error while reading at byte {at}: {reason}",
                DiskAccess.Write => $"error while writing at byte {at}: {reason}",
                _ => $"error while converting: {reason}",
            })
            {
                Hint = ImageOpener.HintText(e),
            };
        }
    }

    // qemu-img counts what is to be copied before it copies, and names then, too, where nothing can be told.
    private void NameUnknown(IConvertSource source)
    {
        long length = source.VirtualSize;
        for (long offset = 0; offset < source.VirtualSize;)
        {
            try
            {
                offset += source.Map(offset, length).Length;
                length = source.VirtualSize - offset;
            }
            catch (ImageException) when (length > SectorSize)
            {
                length = Math.Max(SectorSize, length / 2 / SectorSize * SectorSize);
            }
            catch (ImageException e)
            {
                Salvaged("block status at offset", offset, e);
                offset += length;
                length = source.VirtualSize - offset;
            }
        }
    }

    private static void Publish(StagedTarget? staged)
    {
        try
        {
            staged?.Publish(CancellationToken.None);
        }
        catch (ImageException e)
        {
            throw new CommandException($"error while converting: {e.Message}") { Hint = ImageOpener.HintText(e) };
        }
    }

    private bool Salvaged(string what, long offset, ImageException failure)
    {
        lock (_salvaging)
        {
            // A corrupt image is told of all the same.
            string reason = plan.Quiet && failure.Corruption == CorruptionSignal.None ? "" : host.Reason(failure);
            if (!plan.Quiet)
            {
                host.Warning(string.Create(CultureInfo.InvariantCulture, $"error while reading {what} {offset}: {reason}"));
            }
        }

        return true;
    }
}
