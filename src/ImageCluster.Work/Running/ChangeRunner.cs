using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Running;

/// <summary>Changes an image as a whole, by one command. What came of it is said in words where there is something to say.</summary>
/// <param name="files">The job's images.</param>
/// <param name="time">Says when a snapshot was taken.</param>
internal sealed class ChangeRunner(JobFiles files, TimeProvider time) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (ChangeSpec)task.Spec;
        scope.Pass(0);
        string found = "";
        if (spec.Change == UsePurpose.Create)
        {
            Create(task, spec, scope);
        }
        else
        {
            using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
            using LayeredDisk disk = new ChainOpener(locator).Open(files.Roots.PathOf(spec.Image), JobFiles.Chain with
            {
                Format = JobFiles.Stated(spec.Format),
                Mode = OpenMode.ReadWrite,
                // Only a disk that grows may have to hide what its backing file has there.
                FollowBacking = spec.Change == UsePurpose.Resize,
                ForCheck = spec.Change == UsePurpose.Repair,
            });
            found = Change(spec, disk);
        }

        return new ShardResult { Shard = shard, Detail = found };
    }

    private string Change(ChangeSpec spec, LayeredDisk disk)
    {
        switch (spec.Change)
        {
            case UsePurpose.Resize:
                Resize(spec, disk);
                return "";
            case UsePurpose.Amend:
                Capability<IAmendable>(disk, "option amendment").Amend(new AmendRequest { Options = spec.Options, Force = spec.Force });
                disk.Flush();
                return "";
            case UsePurpose.SnapshotCreate:
                TakeSnapshot(spec, disk);
                return "";
            case UsePurpose.SnapshotApply:
                Snapshots(disk).ApplySnapshot(FindSnapshot(spec, disk));
                disk.Flush();
                return "";
            case UsePurpose.SnapshotDelete:
                Snapshots(disk).DeleteSnapshot(FindSnapshot(spec, disk));
                disk.Flush();
                return "";
            case UsePurpose.Repair:
                return Repair(spec, disk);
            default:
                throw new ImageException(ImageErrorKind.Unsupported, disk.Top.FileName, $"{spec.Change} is not a change of a whole image");
        }
    }

    // Made beside its place and then given its name: whoever looks finds the old file, nothing, or a whole image.
    private void Create(WorkTask task, ChangeSpec spec, TaskScope scope)
    {
        StagingArea staging = files.Staging(spec.Image, task.JobId);
        ImageFormat format = FormatRegistry.Find(spec.Format)
            ?? throw new ImageException(ImageErrorKind.Unsupported, staging.FinalPath, $"Unknown file format '{spec.Format}'");
        using OpenedSource? backing = spec.Backing is { } name ? files.OpenSource(name, spec.BackingFormat) : null;
        var options = new Dictionary<string, string>(spec.Options, StringComparer.Ordinal);
        if (backing is not null)
        {
            options["backing_file"] = files.ReferenceTo(spec.Backing!, spec.Image);
            options["backing_fmt"] = spec.BackingFormat.Length > 0 ? spec.BackingFormat : backing.Top.FormatName;
        }

        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        scope.Lease.Require();
        staging.StartAnew();
        try
        {
            format.Create(new CreateRequest
            {
                FileName = staging.FinalPath,
                Locator = staging.Locator(locator),
                VirtualSize = spec.Size ?? backing?.Disk.VirtualSize ??
                    throw new ImageException(ImageErrorKind.InvalidArgument, staging.FinalPath, "Image creation needs a size parameter"),
                Options = options,
            });
            files.RequireUnused(spec.Image);
            scope.Lease.Require();
            staging.Publish(spec.Force);
        }
        catch (ImageException)
        {
            staging.Remove();
            throw;
        }
    }

    private static void Resize(ChangeSpec spec, LayeredDisk disk)
    {
        long size = spec.Size is > 0 and var wanted
            ? wanted
            : throw new ImageException(ImageErrorKind.InvalidArgument, disk.Top.FileName, "New image size must be positive");
        if (size < disk.VirtualSize && !spec.Force)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, disk.Top.FileName, "The disk would become smaller and lose what lies behind its new end")
            {
                Hint = "Where that is meant: resize --shrink.",
            };
        }

        Resizer.Resize(disk, size, spec.Options.GetValueOrDefault("preallocation", "off"));
    }

    private void TakeSnapshot(ChangeSpec spec, LayeredDisk disk)
    {
        ISnapshotEditor editor = Snapshots(disk);
        if (spec.Snapshot.Length == 0 || editor.ListSnapshots().Any(snapshot => snapshot.Name == spec.Snapshot))
        {
            throw new ImageException(ImageErrorKind.Exists, disk.Top.FileName,
                spec.Snapshot.Length == 0 ? "A snapshot needs a name" : $"A snapshot '{spec.Snapshot}' is there already");
        }

        DateTimeOffset now = time.GetUtcNow();
        editor.CreateSnapshot(new ImageSnapshot
        {
            Id = "",
            Name = spec.Snapshot,
            DateSeconds = now.ToUnixTimeSeconds(),
            DateNanoseconds = (int)(now.Ticks % TimeSpan.TicksPerSecond * 100),
            InstructionCount = 0,
        });
        disk.Flush();
    }

    private static ISnapshotEditor Snapshots(LayeredDisk disk) => Capability<ISnapshotEditor>(disk, "internal snapshots");

    private static string FindSnapshot(ChangeSpec spec, LayeredDisk disk)
    {
        IReadOnlyList<ImageSnapshot> snapshots = Snapshots(disk).ListSnapshots();
        ImageSnapshot? found = snapshots.FirstOrDefault(snapshot => snapshot.Id == spec.Snapshot) ??
            snapshots.FirstOrDefault(snapshot => snapshot.Name == spec.Snapshot);
        return found?.Id ?? throw new ImageException(ImageErrorKind.NotFound, disk.Top.FileName, $"There is no snapshot '{spec.Snapshot}'");
    }

    private static string Repair(ChangeSpec spec, LayeredDisk disk)
    {
        ICheckable image = Capability<ICheckable>(disk, "checks");
        CheckReport repaired = Check(image, disk, spec.Force ? CheckRepair.All : CheckRepair.Leaks);
        disk.Flush();
        CheckReport left = Check(image, disk, CheckRepair.None);
        string done = string.Create(CultureInfo.InvariantCulture,
            $"{repaired.LeaksFixed} leaked clusters and {repaired.CorruptionsFixed} errors repaired, {left.Leaks} and {left.Corruptions} left");
        return left.Corruptions == 0 && left.CheckErrors == 0
            ? done
            : throw new ImageException(ImageErrorKind.Corrupt, disk.Top.FileName, done);
    }

    private static CheckReport Check(ICheckable image, LayeredDisk disk, CheckRepair repair)
    {
        CheckReport report = image.Check(repair);
        return report.Failure is null ? report : throw new ImageException(ImageErrorKind.Corrupt, disk.Top.FileName, $"Check failed: {report.Failure}");
    }

    private static T Capability<T>(LayeredDisk disk, string what)
        where T : class =>
        disk.Top as T ?? throw new ImageException(ImageErrorKind.Unsupported, disk.Top.FileName, $"Format driver '{disk.Top.FormatName}' does not support {what}");
}
