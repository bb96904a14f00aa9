using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Work.Leases;

namespace ImageCluster.Work.Running;

/// <summary>
/// Changes an image as a whole, by one command. What came of it is said in words where there is something to say. Every change can be done again when
/// nobody heard of the first time, in full or in part: what the image was before, <see cref="ChangeProbe"/> has noted.
/// </summary>
/// <param name="files">The job's images.</param>
/// <param name="time">Says when a snapshot was taken.</param>
internal sealed class ChangeRunner(JobFiles files, TimeProvider time) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (ChangeSpec)task.Spec;
        scope.Pass(0);
        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        using LayeredDisk disk = new ChainOpener(locator).Open(files.Roots.PathOf(spec.Image), files.ChainFor(spec, spec.Image, spec.Format) with
        {
            Mode = OpenMode.ReadWrite,
            // Only a disk that grows may have to hide what its backing file has there.
            FollowBacking = spec.Change == UsePurpose.Resize || (spec.Change == UsePurpose.Amend && spec.Options.ContainsKey("size")),
            ForCheck = spec.Change == UsePurpose.Repair,
        });
        return new ShardResult { Shard = shard, Detail = Change(task, spec, disk) };
    }

    private string Change(WorkTask task, ChangeSpec spec, LayeredDisk disk)
    {
        switch (spec.Change)
        {
            case UsePurpose.Resize:
                Resize(task, spec, disk);
                return "";
            case UsePurpose.Amend:
                Capability<IAmendable>(disk, "option amendment").Amend(new AmendRequest
                {
                    Options = spec.Options,
                    Force = spec.Force,
                    Resize = size => Resizer.Resize(disk, size, "off"),
                    Secret = files.Roots.Secrets.For("", spec.Options),
                });
                disk.Flush();
                return "";
            case UsePurpose.SnapshotCreate:
                TakeSnapshot(task, spec, disk);
                return "";
            case UsePurpose.SnapshotApply:
                Snapshots(disk).ApplySnapshot(FindSnapshot(task, spec, disk) ?? throw SnapshotIdentity.NotFound(disk, spec.Snapshot));
                disk.Flush();
                return "";
            case UsePurpose.SnapshotDelete:
                if (FindSnapshot(task, spec, disk) is { } id)
                {
                    Snapshots(disk).DeleteSnapshot(id);
                }

                disk.Flush();
                return "";
            case UsePurpose.Repair:
                return Repair(spec, disk);
            default:
                throw new ImageException(ImageErrorKind.Unsupported, disk.Top.FileName, $"{spec.Change} is not a change of a whole image");
        }
    }

    private static void Resize(WorkTask task, ChangeSpec spec, LayeredDisk disk)
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

        // Where an attempt of which nobody heard has grown the disk already, what it may not have hidden is hidden now.
        long before = task.Probed?.Chains.FirstOrDefault()?.Layers.FirstOrDefault()?.VirtualSize ?? disk.VirtualSize;
        Resizer.Resize(disk, size, spec.Options.GetValueOrDefault("preallocation", "off"), Math.Min(before, disk.VirtualSize));
    }

    private void TakeSnapshot(WorkTask task, ChangeSpec spec, LayeredDisk disk)
    {
        ISnapshotEditor editor = Snapshots(disk);
        DateTimeOffset now = time.GetUtcNow();
        int mark = SnapshotIdentity.MarkOf(task.JobId);
        ImageSnapshot? there = editor.ListSnapshots().FirstOrDefault(snapshot => snapshot.Name == spec.Snapshot);
        if (spec.Snapshot.Length > 0 && there?.DateNanoseconds == mark)
        {
            // Taken by this job: nobody heard of it.
            return;
        }

        SnapshotIdentity.RequireNew(disk, spec.Snapshot);
        editor.CreateSnapshot(new ImageSnapshot
        {
            Id = "",
            Name = spec.Snapshot,
            DateSeconds = now.ToUnixTimeSeconds(),
            DateNanoseconds = mark,
            InstructionCount = 0,
        });
        disk.Flush();
    }

    private static ISnapshotEditor Snapshots(LayeredDisk disk) => Capability<ISnapshotEditor>(disk, "internal snapshots");

    // The very one that was there when the job looked. Null where it is gone: this job has removed it, and nobody heard of that.
    private static string? FindSnapshot(WorkTask task, ChangeSpec spec, LayeredDisk disk) => task.Probed is { Subject.Length: > 0 } probed
        ? Snapshots(disk).ListSnapshots().FirstOrDefault(snapshot => SnapshotIdentity.Of(snapshot) == probed.Subject)?.Id
        : SnapshotIdentity.Find(disk, spec.Snapshot).Id;

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
