using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations.Committing;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Leases;

namespace ImageCluster.Work.Running;

/// <summary>
/// What commit and rebase have in common where several workers merge shards into an image that is there (<see cref="IMergeTarget"/>): it is made ready, shards
/// write into room that the image's record grants, and one worker takes them in.
/// </summary>
internal static class ShardedMerging
{
    private const long SmallestStep = 1 << 20;
    private const long LargestStep = 32 << 20;

    /// <summary>How a disk is cut whose data goes into an image: raw has a place for each byte, some formats take shards, the others one worker must write.</summary>
    /// <param name="into">The image.</param>
    /// <param name="virtualSize">Of the disk, bytes.</param>
    public static JobGeometry GeometryOf(IImageLayer into, long virtualSize) => into is IMergeTarget { MergeShardLength: > 0 and var length } && length < virtualSize
        ? new JobGeometry(virtualSize, length, ShardsIndependent: true) { TakesRoom = true }
        : new JobGeometry(virtualSize, Committer.ShardLength, HasPlaces(into));

    /// <summary>True where every guest byte has its place in the image's file, so that several processes may write at once.</summary>
    public static bool HasPlaces(IImageLayer image) => image.FormatName == "raw";

    /// <summary>True where the job was planned so.</summary>
    public static bool IsPlanned(WorkTask task) => task.Planned.Stages.Any(stage => stage.Kind == StageKind.Prepare);

    /// <summary>Makes the image, which nobody else has open for writing, ready, and says where shards get room.</summary>
    public static ShardResult Prepare(IImageLayer into, WorkTask task, long shard)
    {
        if (into is not IMergeOwner { MergeShardLength: > 0 and var length } owner || length != task.Planned.ShardLength)
        {
            throw Changed(into);
        }

        MergeRoom room = owner.StartMerge();
        return new ShardResult
        {
            Shard = shard,
            Detail = FindingsCodec.Encode(new FillLayout
            {
                Shards = task.Planned.Stages.Find(stage => stage.Kind == StageKind.Merge)!.Shards,
                RoomStart = room.Start,
                RoomAlignment = room.Alignment,
                RoomEnd = room.End,
            }),
        };
    }

    /// <summary>
    /// The room for a task's shards. What is in room that a lost attempt wrote to does not matter: clusters and tables are written whole, and of a cluster that is
    /// written in part the image says which.
    /// </summary>
    public static GrantedRoom RoomOf(WorkTask task, TaskScope scope)
    {
        long alignment = LayoutOf(task).RoomAlignment;
        return scope.Room ??= new GrantedRoom(scope.AskRoom, static _ => { }, Math.Max(alignment, Math.Clamp(task.Planned.ShardLength / 16, SmallestStep, LargestStep)));
    }

    /// <summary>What a shard that was written and flushed occupies.</summary>
    public static ShardResult Merged(IImageLayer into, WorkTask task, long shard, long read)
    {
        if (into is not IMergeShard merged)
        {
            throw Changed(into);
        }

        ShardManifest? manifest = merged.MergedShard(shard, task.Planned.ShardLength);
        return new ShardResult { Shard = shard, Manifest = manifest, BytesRead = read, BytesWritten = read };
    }

    /// <summary>Takes all shards in.</summary>
    public static void Finish(JobFiles files, string path, string? format, WorkTask task, TaskScope scope)
    {
        List<ShardManifest> manifests = [];
        foreach (ShardManifest manifest in scope.AskManifests())
        {
            scope.Pass(0);
            manifests.Add(manifest);
        }

        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        using IImageLayer image = Open(files, task, locator, path, format, OpenMode.ReadWrite);
        (image as IMergeOwner ?? throw Changed(image)).FinishMerge(manifests, task.Planned.ShardLength, PlaceOf(LayoutOf(task)));
    }

    /// <summary>Gives up what was merged behind a job that did not succeed. Where somebody else has written to the image meanwhile, there is nothing to do.</summary>
    public static void Abandon(JobFiles files, string path, string? format, WorkTask task, TaskScope scope)
    {
        using (IImageLayer seen = Open(files, task, files.Roots.Locator, path, format, OpenMode.ReadOnly with { Lock = ImageLock.None }))
        {
            if (seen is not IMergeTarget { IsMerging: true })
            {
                return;
            }
        }

        using var locator = new FencedLocator(files.Roots.Locator, scope.Lease);
        using IImageLayer image = Open(files, task, locator, path, format, OpenMode.ReadWrite);
        (image as IMergeOwner)?.AbandonMerge(task.Layout is { } layout ? PlaceOf(layout) : null);
    }

    /// <summary>The image that the job was planned for is another one now.</summary>
    public static ImageException Changed(IImageLayer image) => new(ImageErrorKind.InvalidArgument, image.FileName, "It is not what it was when the job was planned");

    // The image of the chain that is merged into has the chain's secret.
    private static IImageLayer Open(JobFiles files, WorkTask task, IFileLocator locator, string path, string? format, OpenMode mode)
    {
        string secret = task.Spec is CommitSpec commit ? commit.SecretOf(commit.Top) : task.Spec.SecretOf(((RebaseSpec)task.Spec).Image);
        return new ChainOpener(locator).OpenLayer(path, JobFiles.Chain with { Format = format, Mode = mode, Secret = files.Roots.Secrets.For(secret) });
    }

    private static FillLayout LayoutOf(WorkTask task) => task.Layout ?? throw new InvalidOperationException($"The step {task.Stage} needs to know where room is.");

    private static MergeRoom PlaceOf(FillLayout layout) => new(layout.RoomStart, layout.RoomAlignment, layout.RoomEnd);
}
